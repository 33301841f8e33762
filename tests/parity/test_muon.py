"""Muon's parts against published numbers: coefficient sets, their generator, splits, and steps of kin methods."""

import math

import numpy as np
import pytest
import torch

import gradwright as gw
import gradwright.transforms as parts
from gradwright.core import chain
from gradwright.transforms.matrix.coefficients import COEFFICIENTS, coefficients_of, polar_express, response
from gradwright.transforms.matrix.orthogonalize import newton_schulz
from tests.families.worked import M2
from tests.reference.muon import MARGIN, MODDED, POLAR_EXPRESS, POLYNOMIALS
from tests.reference.muon import response as reference_response
from tests.runs import as_recipe, run

G1 = np.array(M2[0])

ORTHOGONALISED = {  # what each set makes of G1, with what its code adds to the norm
    "polar_express": (1e-7, [[0.83905937, -0.36939652], [0.33509775, 0.8047606]]),
    "modded": (1e-6, [[0.96828726, -0.45353654], [0.31858954, 0.83334026]]),
    "gram": (1e-7, [[1.02280263, -0.45246112], [0.40305115, 0.97339266]]),
    "cans": (1e-7, [[0.89669199, -0.39708853], [0.35231665, 0.8519201]]),
    "deepseek_v4": (1e-7, [[0.91920281, -0.39383624], [0.39421363, 0.9195802]]),
    "cubic": (1e-7, [[0.80419461, -0.26216588], [0.55087722, 1.09290595]]),
}


@pytest.mark.parametrize("name", ORTHOGONALISED)
def test_a_worked_matrix(name):
    """The printed numbers come from codes that add to the norm; ours adds nothing. The reference does both."""
    added, printed = ORTHOGONALISED[name]
    left, sigma, right = np.linalg.svd(G1)
    margin, length = MARGIN.get(name, 1), np.linalg.norm(G1)
    theirs, ours = (
        left @ np.diag(reference_response(sigma / size, name)) @ right for size in (length + added / margin, length)
    )
    np.testing.assert_allclose(theirs, printed, rtol=0, atol=2e-8)
    found = newton_schulz(torch.tensor(G1), COEFFICIENTS[name])
    np.testing.assert_allclose(found, ours, rtol=0, atol=1e-11)


def test_the_schatten_norm_does_with_four_iterations():
    found = newton_schulz(torch.tensor(G1), COEFFICIENTS["you_4"], "schatten")
    np.testing.assert_allclose(found, [[0.91310358, -0.38784313], [0.40004754, 0.92530799]], rtol=0, atol=1e-8)
    np.testing.assert_allclose(torch.linalg.svdvals(found), [1.00870, 0.99144], rtol=0, atol=5e-6)


def test_eight_iterations_of_polar_express_reach_the_polar_factor():
    found = newton_schulz(torch.tensor(G1), COEFFICIENTS["polar_express_8"])
    left, _, right = np.linalg.svd(G1)
    np.testing.assert_allclose(found, left @ right, rtol=0, atol=1e-14)


RANGES = {  # least and largest answer to singular values from a hundredth, and from a thousandth, up to one
    "you_4": ((0.973, 1.145), (0.120, 1.145)),
    "polar_express": ((0.869, 1.131), (0.857, 1.131)),
    "polar_express_8": ((1.0, 1.0), (1.0, 1.0)),
    "modded": ((0.859, 1.141), (0.847, 1.141)),
    "gram": ((0.846, 1.124), (0.729, 1.124)),
    "cans": ((0.884, 1.120), (0.884, 1.120)),
    "deepseek_v4": ((1.0, 1.0005), (1.0, 1.0005)),
    "cubic": ((0.774, 1.300), (0.119, 1.300)),
}


@pytest.mark.parametrize("name", RANGES)
def test_singular_values_land_in_the_range_of_the_table(name):
    for lowest, expected in zip((0.01, 0.001), RANGES[name]):
        sigmas = torch.logspace(math.log10(lowest), 0, 20001, dtype=torch.float64)
        found = response(sigmas, COEFFICIENTS[name])
        assert (found.min().item(), found.max().item()) == pytest.approx(expected, abs=6e-4)


def test_every_set_is_the_references():
    sigmas = np.logspace(-3, 0, 500)
    assert COEFFICIENTS.keys() == POLYNOMIALS.keys()
    for name, rows in COEFFICIENTS.items():
        found = response(torch.tensor(sigmas), rows).numpy()
        np.testing.assert_allclose(found, reference_response(sigmas, name), rtol=0, atol=1e-11, err_msg=name)


def test_the_generator_has_the_published_digits():
    np.testing.assert_allclose(polar_express(10, margin=1)[:6], POLAR_EXPRESS[:6], rtol=1e-13)
    # nearly singular by then: the interval is 1e-4 wide
    np.testing.assert_allclose(polar_express(10, margin=1)[6], POLAR_EXPRESS[6], rtol=1e-10)
    np.testing.assert_allclose(polar_express(5, safety=0.02, margin=1), MODDED, rtol=1e-13)
    np.testing.assert_allclose(polar_express(5, safety=0.02), COEFFICIENTS["modded"], rtol=1e-13)


@pytest.mark.parametrize(("low", "high"), [(0.02, 1.0), (0.3, 1.5), (0.9, 1.1)])
def test_each_of_its_polynomials_is_the_nearest_to_one(low, high):
    """Its error has one size and four alternating signs, which no nearer odd quintic can have (Chebyshev)."""
    from gradwright.transforms.matrix.coefficients import _best_quintic

    sigmas = torch.linspace(low, high, 20001, dtype=torch.float64)
    error = 1 - response(sigmas, (_best_quintic(low, high),))
    largest = error.abs().max()
    extreme = error[error.abs() > largest * (1 - 1e-6)].sign()
    assert (extreme[1:] != extreme[:-1]).sum() == 3
    assert error[0].item() == pytest.approx(largest.item(), rel=1e-9)
    assert error[-1].item() == pytest.approx(-largest.item(), rel=1e-9)


@pytest.mark.parametrize("steps", [1, 3, 5, 7])
def test_it_brings_every_singular_value_of_its_interval_close_to_one(steps):
    """To l ↦ p(l), which the interval promises, with all iterations together."""
    rows = polar_express(steps, lowest=0.01, safety=0.0)
    answer = response(torch.logspace(-2, 0, 20001, dtype=torch.float64), rows)
    ends = response(torch.tensor([0.01], dtype=torch.float64), rows).item()
    assert answer.min().item() == pytest.approx(ends, abs=1e-6)
    assert answer.max().item() <= 2 - ends + 1e-6


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"lowest": 1.0}, {"lowest": 0.0}, {"safety": -0.1}, {"cushion": 1.0}])
def test_it_refuses_what_has_no_meaning(wrong):
    with pytest.raises(ValueError, match="polar_express: steps="):
        polar_express(**{"steps": 5, **wrong})


AOL = ((4.0098, -7.0585, 2.4635), (3.4585, -5.5479, 2.5959), (2.7573, -3.2939, 1.4254), (2.7215, -3.0494, 1.3169))


def test_a_set_that_climbs_is_refused_by_name_and_by_its_numbers():
    with pytest.raises(ValueError, match=r"Muon: Orthogonalize: coefficients='aol' is refused: .*rank one.*you_4"):
        gw.Muon([torch.ones(3, 3)], coefficients="aol")
    with pytest.raises(ValueError, match=r"send a singular value of 0\.899 to -1\.08.*positive on \(0, 1\]"):
        parts.Orthogonalize(AOL)
    assert newton_schulz(torch.ones(1, 1), AOL).item() == pytest.approx(-0.994, abs=1e-3)
    with pytest.raises(ValueError, match="must be triples"):
        parts.Orthogonalize(((1.0, 2.0),))
    with pytest.raises(ValueError, match="known are keller, you"):
        coefficients_of("kellers")


def test_own_polynomials_can_be_given_to_the_part():
    part, named = parts.Orthogonalize(polar_express(5, safety=0.02)), parts.Orthogonalize("modded")
    assert part != named
    assert part.structure() != parts.Orthogonalize(polar_express(6)).structure()


def test_equal_rows_before_and_a_restored_norm_after():
    """MuonEq, five polynomials and Muon+, as nanochat has them: it divides by 1.01 of the norm and adds 1e-6."""
    margin = 1.01 + 1e-6 / np.linalg.norm((1 - 0.95**2) * G1)

    def Nanochat(lr=1.0, momentum=0.95):
        return chain(
            parts.Ema(momentum, nesterov=True),
            parts.EqualizeRows(),
            parts.Orthogonalize(polar_express(5, safety=0.02, margin=margin)),
            parts.Rescale(1.0, "polar"),
            parts.Scale(lr),
        )

    expected = [[0.8989904, -0.43796834], [0.32599182, 0.94537259]]
    with as_recipe(Nanochat) as recipe:
        for scale in (1.0, 1e-8, 1e4):
            step = -run(recipe, [0 * G1], [[scale * G1]]).last[0]
            np.testing.assert_allclose(step, expected, rtol=0, atol=2e-8)


def test_normuon_without_memory_moves_all_rows_equally_far():
    g = np.random.RandomState(0).standard_normal((5, 7))
    step = run(gw.NorMuon, [0 * g], [[g]], lr=1.0, betas=(0.9, 0.0)).last[0]
    rows = np.linalg.norm(step, axis=1)
    np.testing.assert_allclose(rows, rows[0], rtol=1e-9)


def test_the_papers_normuon_has_a_root_mean_square_of_a_fifth():
    for shape in ((4, 9), (9, 4), (2, 3, 5), (6, 2, 3, 3)):
        g = np.random.RandomState(0).standard_normal(shape)
        step = run(gw.NorMuon, [0 * g], [[g]], lr=1.0, form="paper").last[0]
        assert np.sqrt(np.mean(step**2)) == pytest.approx(0.2, rel=1e-12)


def test_adamuons_first_step_has_one_size_everywhere():
    g = np.random.RandomState(0).standard_normal((4, 6))
    step = -run(gw.AdaMuon, [0 * g], [[g]], lr=1.0, eps=0.0, stabilize=False).last[0]
    plain = newton_schulz(torch.tensor(g), COEFFICIENTS["keller"]).numpy()
    np.testing.assert_allclose(step, 0.2 * np.sign(plain), rtol=1e-12)


@pytest.mark.parametrize("recipe", [gw.MuonH, gw.AdamH])
def test_a_norm_on_the_sphere_stays(recipe):
    stream = np.random.RandomState(0)
    start = stream.standard_normal((6, 5))
    walk = run(recipe, [start], [[stream.standard_normal((6, 5))] for _ in range(50)], lr=0.1)
    for (found,) in walk.history:
        assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(start), rel=1e-14)


@pytest.mark.parametrize("recipe", [gw.MuonH, gw.AdamH])
def test_each_matrix_of_a_stack_stays_on_a_sphere_of_its_own(recipe):
    """As in the authors' code, where an expert is a parameter; a convolution is one matrix, as it is for Muon."""
    stream = np.random.RandomState(0)
    start = stream.standard_normal((3, 4, 5)) * np.array([1.0, 0.1, 10.0])[:, None, None]
    steps = [stream.standard_normal((3, 4, 5)) for _ in range(4)]
    stacked = run(recipe, [start], [[g] for g in steps], lr=0.1).last[0]
    for at in range(3):
        alone = run(recipe, [start[at]], [[g[at]] for g in steps], lr=0.1).last[0]
        np.testing.assert_allclose(stacked[at], alone, rtol=1e-12)
    kernel = run(recipe, [start], [[g] for g in steps], lr=0.1, roles=["convolution"]).last[0]
    flat = run(recipe, [start.reshape(3, 20)], [[g.reshape(3, 20)] for g in steps], lr=0.1).last[0]
    np.testing.assert_allclose(kernel.reshape(3, 20), flat, rtol=1e-12)


def test_a_stack_of_single_numbers_cannot_turn():
    with pytest.raises(ValueError, match=r"AdamH: Hyperball: .*is a stack of single numbers, which cannot turn"):
        gw.AdamH([torch.nn.Parameter(torch.ones(4, 1, 1))])


def test_a_half_precision_sphere_does_not_shrink():
    """The radius is remembered in float32; the norm of rounded weights, taken anew at each step, would wander."""
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(16, 16, dtype=torch.bfloat16))
    radius = weight.detach().float().norm()
    optimizer = gw.MuonH([weight], lr=0.05)
    for _ in range(100):
        weight.grad = torch.randn(16, 16).bfloat16()
        optimizer.step()
    assert optimizer.state[weight]["hyperball.radius"].dtype == torch.float32
    torch.testing.assert_close(weight.detach().float().norm(), radius, rtol=2e-3, atol=0)


def test_a_single_number_cannot_turn():
    with pytest.raises(ValueError, match=r"AdamH: Hyperball: .*cannot turn; give it to another recipe|cannot turn"):
        gw.AdamH([torch.nn.Parameter(torch.ones(1, 1))])


def test_half_precision_without_nesterov_leaves_the_momentum_alone():
    """torch.optim.Muon (2.13) normalises the buffer itself in this case."""
    weight = torch.nn.Parameter(torch.zeros(2, 2, dtype=torch.bfloat16))
    weight.grad = torch.tensor([[3.0, 0.0], [0.0, 1.0]], dtype=torch.bfloat16)
    optimizer = gw.Muon([weight], nesterov=False)
    optimizer.step()
    expected = torch.tensor([[0.15, 0.0], [0.0, 0.05]]).bfloat16()
    torch.testing.assert_close(optimizer.state[weight]["ema.m"], expected, rtol=0, atol=1e-3)
