"""What the Adam-like methods promise beside their equations, and the known faults of other implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import gradwright as gw
import gradwright.transforms as parts
from gradwright.core import chain
from tests.families.worked import S3
from tests.properties.acting import act
from tests.reference.adam_momenta import beta3_at
from tests.reference.rectified import rectification
from tests.runs import SHAPES, as_recipe, gradients, normals, run

UNDECAYED = {"weight_decay": 0.0}

FIRST_STEPS = {  # on a parameter of 1 with gradient 1 and lr 1
    "AMSGrad": (gw.AMSGrad, {}, 1.0),
    "AMSGrad, paper": (gw.AMSGrad, {"form": "paper"}, 0.1 / math.sqrt(0.001)),
    "Adamax": (gw.Adamax, {}, 1.0),
    "EAdam": (gw.EAdam, {}, 1.0),
    "SAdam": (gw.SAdam, {}, math.sqrt(0.001) / (math.log1p(math.exp(50 * math.sqrt(0.001))) / 50)),
    "AdamAtan2": (gw.AdamAtan2, UNDECAYED, math.pi / 4),
    "AdamAtan2, 1.27": (gw.AdamAtan2, {**UNDECAYED, "a": 1.27}, 1.27 * math.pi / 4),
    "DiffGrad": (gw.DiffGrad, {}, 1 / (1 + math.exp(-1))),
    "AdaMomentum": (gw.AdaMomentum, {}, 9.995),
    "AdaMomentum, corrected": (gw.AdaMomentum, {"form": "corrected"}, 1.0),
    "Adan": (gw.Adan, {}, 1.0),
    "AdamNorm": (gw.AdamNorm, {}, 1.0),
    "AdEMAMix": (gw.AdEMAMix, {}, 1 + 2 * 1e-4),
    "MARS": (gw.MARS, {}, 1.0),
    "RAdam": (gw.RAdam, {}, 1.0),
    "RAdam, resting": (gw.RAdam, {"degenerated_to_sgd": False}, 0.0),
    "ADOPT": (gw.ADOPT, {}, 0.0),
    "ADOPT, decay": (gw.ADOPT, {"weight_decay": 0.5, "decoupled_weight_decay": True}, 0.0),
    "Grokfast": (gw.grokfast(gw.SGD), {}, 3.0),
    "UntunedWarmup": (gw.untuned_warmup(gw.AdamW), UNDECAYED, 1 - math.exp(-0.001)),
}


@pytest.mark.parametrize("name", FIRST_STEPS)
def test_the_first_step_has_its_known_length(name):
    recipe, knobs, expected = FIRST_STEPS[name]
    moved = 1 - run(recipe, [1.0], [[1.0]], lr=1.0, **knobs).last[0].item()
    assert moved == pytest.approx(expected, rel=5e-5, abs=1e-12)


def multiples_of_adams_steps(recipe, steps, **knobs):
    """The sizes of the steps on a constant gradient of 1; Adam's are all lr."""
    path = [1.0, *(at[0].item() for at in run(recipe, [1.0], [[1.0]] * steps, lr=1.0, **knobs).history)]
    return -np.diff(path)


def test_adamomentum_needs_a_warm_up_of_some_fifty_steps():
    sizes = multiples_of_adams_steps(gw.AdaMomentum, 100)
    expected = {1: 9.995, 2: 6.58, 5: 3.51, 10: 2.22, 50: 1.17, 100: 1.07}
    assert [sizes[t - 1] for t in expected] == pytest.approx(list(expected.values()), rel=5e-3)
    assert multiples_of_adams_steps(gw.AdaMomentum, 20, form="corrected") == pytest.approx(np.ones(20), rel=1e-2)


@pytest.mark.parametrize(
    ("beta", "known"),
    [
        (0.999, {6: 0.025821, 7: 0.032739, 10: 0.048998, 100: 0.2153, 1000: 0.6453, 2000: 0.8284, 10000: 0.99977}),
        (0.95, {4: None, 5: None}),
    ],
)
def test_rectification_has_its_known_sizes(beta, known):
    """One update of the part at each age, on a moment that divides by 1."""
    part = parts.Rectify(parts.Precondition(parts.Full(beta), parts.Bare()), beta, "rest")
    for t, expected in known.items():
        assert rectification(t, beta) == (None if expected is None else pytest.approx(expected, rel=1e-3))
        assert size_at(part, beta, t) == pytest.approx(rectification(t, beta) or 0.0, rel=1e-12)


def size_at(part, beta, t):
    return act(part, 1.0, state={"of.v": 1 - beta ** (t - 1)}, step=float(t)).u.item()


def test_ademamix_warms_up_along_half_lives():
    warmed = {1: 0.99960124, 2: 0.99980022, 3: 0.99986672}
    for t, printed in warmed.items():
        part = parts.FastAndSlow(0.9, 0.9999, 2.0, beta3_warmup=4.0)
        # printed from a code that adds 1e-8 to β under its logarithms, which moves β₃ by 4e-8
        assert part._slow(t) == pytest.approx(printed, abs=1e-7)
        assert part._slow(t) == pytest.approx(beta3_at(t, 0.9, 0.9999, 4), rel=1e-14)
    assert part._slow(4) == part._slow(400) == pytest.approx(0.9999, rel=1e-14)
    assert parts.FastAndSlow(0.9, 0.9999, 2.0)._slow(1) == pytest.approx(0.9999, rel=1e-14)


def test_eadams_moment_has_the_same_floor_at_every_step():
    """Without gradients v / (1 − β₂ᵗ) is ε / (1 − β₂), and ε where it is averaged."""
    for form, floor in (("stored", 1e-8 / 0.001), ("averaged", 1e-8)):
        walk = run(gw.EAdam, [1.0], [[0.0]] * 40, form=form)
        assert walk.last[0] == 1.0
        assert walk.state("precondition.v") / (1 - 0.999**40) == pytest.approx(floor, rel=1e-12)


def test_eadams_amsgrad_keeps_its_eps_inside():
    """In the authors' code that branch is plain AMSGrad."""
    settings = {"lr": 0.1, "eps": 1e-4, "amsgrad": True}
    ours, plain = (run(recipe, [1.0], [[g] for g in S3], **settings).last[0] for recipe in (gw.EAdam, gw.Adam))
    growing = run(gw.EAdam, [1.0], [[g] for g in S3], lr=0.1, eps=1e-4).last[0]
    assert abs(ours - plain) > 1e-3
    assert ours == pytest.approx(growing, rel=1e-12)  # v still grows from zero, so its maximum is v itself


def test_the_step_of_atan2_is_bounded_and_leaves_the_moment_alone():
    """An early port of it multiplied and rooted the stored moment in place."""
    walk = run(gw.AdamAtan2, [1.0], [[1e-12], [1e12], [-1e-12]], lr=1.0, **UNDECAYED)
    path = [1.0, *(at[0].item() for at in walk.history)]
    assert max(abs(np.diff(path))) <= math.pi / 2 + 1e-12
    v = np.zeros(())
    for g in (1e-12, 1e12, -1e-12):
        v = 0.999 * v + 0.001 * g * g
    np.testing.assert_allclose(walk.state("precondition.v"), v, rtol=1e-12)


def reused(recipe, **knobs):
    """A run whose gradients are written into one tensor, as ``zero_grad(set_to_none=False)`` and DDP do."""
    param = torch.nn.Parameter(torch.ones(2, 2, dtype=torch.float64))
    optimizer = recipe([param], lr=0.1, engine="eager", **knobs)
    param.grad = torch.zeros_like(param)
    for g in S3:
        param.grad.zero_().add_(torch.tensor([[g, -g], [2 * g, 0.5]], dtype=torch.float64))
        optimizer.step()
    return param.detach()


@pytest.mark.parametrize("recipe", [gw.DiffGrad, gw.Adan, gw.MARS, gw.grokfast(gw.AdamW), gw.ADOPT])
def test_gradients_may_be_reused_in_place(recipe):
    """The codes that stored the gradient itself lost their method by it: diffGrad its friction, MARS its correction."""
    fresh = [[np.array([[g, -g], [2 * g, 0.5]])] for g in S3]
    expected = run(recipe, [np.ones((2, 2))], fresh, lr=0.1).last[0]
    np.testing.assert_array_equal(reused(recipe), expected)


def test_mars_is_not_adamw_and_diffgrad_is_not_adam_at_half_the_rate():
    walk = [[g] for g in S3]
    assert abs(run(gw.DiffGrad, [1.0], walk, lr=0.1).last[0] - run(gw.Adam, [1.0], walk, lr=0.05).last[0]) > 1e-3
    assert abs(run(gw.MARS, [1.0], walk).last[0] - run(gw.MARS, [1.0], walk, gamma=0.0).last[0]) > 1e-5


def test_adanorm_acts_only_where_norms_fall_and_its_mean_remembers():
    """Half the usual norm is lengthened after a while: at step 21, not at step 11. One port never stored the mean."""
    for steady, acts in ((10, False), (20, True)):
        walk = [[np.array([3.0, 4.0])]] * steady + [[np.array([1.5, 2.0])]]
        norm, plain = (run(recipe, [np.ones(2)], walk) for recipe in (gw.AdamNorm, gw.Adam))
        np.testing.assert_array_equal(norm.history[steady - 1][0], plain.history[steady - 1][0])
        assert bool(np.any(norm.last[0] != plain.last[0])) is acts
        assert norm.state("restore_norm.norm") == pytest.approx(5 * (1 - 0.95**steady) * 0.95 + 0.05 * 2.5, rel=1e-12)


@pytest.mark.parametrize("recipe", [gw.AdamNorm, gw.adanorm(gw.RAdam), gw.ADOPT, gw.MARS, gw.AdamAtan2])
def test_zero_gradients_are_no_trouble_at_any_age(recipe):
    walk = [[g] for g in (0.0, 0.0, 1.0, 0.0, -1.0, 0.0)]
    assert np.isfinite(run(recipe, [1.0], walk).last[0])


def test_amsgrad_of_the_paper_has_no_zero_over_zero():
    found = run(gw.AMSGrad, [np.ones(2)], [[np.array([0.0, 1.0])]], lr=0.1, eps=0.0, form="paper").last[0]
    np.testing.assert_allclose(found, [1.0, 1 - 0.1 * 0.1 / math.sqrt(0.001)], rtol=1e-12)


def test_adams_amsgrad_is_the_raw_form():
    start, walk = normals(SHAPES, 1), gradients(SHAPES, 20, 2)
    settings = {"lr": 0.05, "betas": (0.9, 0.5), "weight_decay": 0.1}
    ours, adam = run(gw.AMSGrad, start, walk, **settings), run(gw.Adam, start, walk, amsgrad=True, **settings)
    for one, other in zip(ours.last, adam.last):
        np.testing.assert_array_equal(one, other)


IDENTITIES = {  # two methods that meet at special settings
    "AdEMAMix without a slow part": ((gw.AdEMAMix, {"alpha": 0.0}), (gw.AdamW, UNDECAYED)),
    "AdaNorm that remembers nothing": ((gw.AdamNorm, {"gamma": 0.0}), (gw.Adam, {})),
    "MARS without correction, small gradients": ((gw.MARS, {"gamma": 0.0, "betas": (0.9, 0.999)}), (gw.Adam, {})),
    "Adan without differences": ((gw.Adan, {"betas": (0.9, 0.0, 0.999)}), (gw.Adam, {})),
    "Adan's two decays at none": ((gw.Adan, {}), (gw.Adan, {"no_prox": True})),
    "Grokfast of nothing": ((gw.grokfast(gw.AdamW), {"grokfast_lamb": 0.0}), (gw.AdamW, {})),
    "EAdam without eps": ((gw.EAdam, {"eps": 0.0}), (gw.Adam, {"eps": 0.0})),
    "atan2 far out": ((gw.AdamAtan2, {"a": 1e6, "b": 1e6, **UNDECAYED}), (gw.Adam, {"eps": 0.0})),
    "softplus that is sharp": ((gw.SAdam, {"smooth": 1e9, "lr": 0.05}), (gw.Adam, {"eps": 0.0})),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_one_method_at_special_settings_is_another(name):
    (left, mine), (right, its) = IDENTITIES[name]
    start = normals(SHAPES, 21)
    walk = [[0.01 * g for g in step] for step in gradients(SHAPES, 12, 22)]
    found = run(left, start, walk, **{"lr": 0.05, **mine}).last
    expected = run(right, start, walk, **{"lr": 0.05, **its}).last
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


def test_an_untuned_warmup_is_a_schedule_of_lr_and_nothing_else():
    start, walk = normals(SHAPES, 31), gradients(SHAPES, 10, 32)
    settings = {"lr": 0.05, "betas": (0.9, 0.95), "weight_decay": 0.1}
    warmed = run(gw.untuned_warmup(gw.AdamW), start, walk, **settings).last
    scheduled = run(gw.AdamW, start, walk, changes=lambda t: {"lr": 0.05 * -math.expm1(-0.05 * t)}, **settings).last
    for one, other in zip(warmed, scheduled):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_an_untuned_warmup_needs_a_second_moment():
    with pytest.raises(ValueError, match="this recipe has no second moment"):
        gw.untuned_warmup(gw.Lion)


def test_rectification_serves_other_moments():
    """A rectified Adafactor-like recipe: the part asks nothing of what it holds."""

    def RectifiedFactored(lr=1e-2):
        divided = parts.Precondition(parts.Factored(), parts.Bare())
        return chain(parts.Rectify(divided, 0.99), parts.Scale(lr))

    with as_recipe(RectifiedFactored) as recipe:
        walk = run(recipe, [np.ones((3, 2))], gradients([(3, 2)], 12, 5))
        assert walk.state("rectify.of.row").shape == (3, 1)
        assert np.isfinite(walk.last[0]).all()


REFUSED = [
    (gw.AMSGrad, "AMSGrad: form='best' is unknown; known are raw, corrected, paper"),
    (gw.EAdam, "EAdam: form='best' is unknown; known are stored, averaged"),
    (gw.SAdam, "SAdam: form='best' is unknown; known are authors, ranger21"),
    (gw.AdaMomentum, "AdaMomentum: form='best' is unknown; known are raw, corrected"),
    (gw.AdamNorm, "AdamNorm: form='best' is unknown; known are paper, authors"),
    (gw.MARS, "MARS: form='best' is unknown; known are authors, timm"),
]


@pytest.mark.parametrize(("recipe", "message"), REFUSED)
def test_an_unknown_form_is_refused_with_the_known_ones(recipe, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        recipe.bind(form="best")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: parts.Rectify(parts.Scale(1.0), 0.9, "stop"), "Rectify: below='stop' is unknown"),
        (lambda: parts.UntunedWarmup(parts.Scale(1.0), 0.9, "cubic"), "UntunedWarmup: shape='cubic' is unknown"),
        (lambda: parts.UntunedWarmup(parts.Scale(1.0), 1.0), "UntunedWarmup: beta=1 is outside"),
        (lambda: parts.UntunedWarmup(parts.Sign()), "UntunedWarmup: of=Sign declares no learning rate"),
        (lambda: parts.UntunedWarmup(0.9), r"UntunedWarmup: of=0.9 must be a transform, such as Scale\(lr\)"),
        (lambda: parts.Softplus(0.0), "Softplus: sharpness=0 is outside"),
        (lambda: parts.Atan2(a=0.0), "Atan2: a=0 is outside"),
        (lambda: parts.FastAndSlow(0.9, 1.0, 1.0), "FastAndSlow: slow=1 is outside"),
        (lambda: parts.DifferenceMomentum(0.9, 1.0, parts.Full(0.9), parts.Bare()), "difference=1 is outside"),
        (lambda: parts.RestoreNorm(1.0), "RestoreNorm: gamma=1 is outside"),
        (lambda: parts.AmplifySlow(1.0), "AmplifySlow: alpha=1 is outside"),
    ],
)
def test_a_part_names_what_it_refuses(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_what_is_not_a_matrix_goes_from_mars_to_adamw():
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Conv1d(3, 2, 1))
    optimizer = gw.build(gw.MARS, model)
    served = {group["recipe"]: [param.ndim for param in group["params"]] for group in optimizer.param_groups}
    assert sorted(served["MARS"]) == [2, 3]
    assert served["AdamW"] == [1, 1]
