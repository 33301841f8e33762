"""Surefoot: what it does not depend on, and what many tensors share."""

import numpy as np
import pytest
import torch

import gradwright as gw
from tests.families.surefoot import KNOBS
from tests.reference.surefoot import surefoot_model
from tests.runs import gradients, normals, run

SHAPES = ((4, 3), (3, 5), (5,), ())
STEPS = 12


def walk(shapes=SHAPES, seed=1):
    return normals(shapes, seed), gradients(shapes, STEPS, seed + 1)


@pytest.mark.parametrize("knobs", [{}, KNOBS], ids=["defaults", "all knobs"])
def test_many_tensors_share_one_scale(knobs):
    start, steps = walk()
    found = run(gw.Surefoot, start, steps, **knobs).history
    params, state = start, {}
    for t, grads in enumerate(steps):
        params = surefoot_model(state, params, grads, **{**gw.Surefoot.spec.defaults, **knobs})
        for one, other in zip(found[t], params):
            np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("factor", [2.0**-40, 2.0**30])
def test_the_scale_of_the_loss_does_not_matter(factor):
    start, steps = walk()
    plain = run(gw.Surefoot, start, steps).last
    scaled = run(gw.Surefoot, start, [[factor * g for g in step] for step in steps]).last
    for one, other in zip(plain, scaled):
        np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize("factor", [0.5, 64.0])
def test_the_unit_of_the_weights_does_not_matter(factor):
    start, steps = walk()
    plain = run(gw.Surefoot, start, steps).last
    scaled = run(gw.Surefoot, [factor * p for p in start], steps).last
    for one, other in zip(plain, scaled):
        np.testing.assert_allclose(factor * one, other, rtol=1e-9, atol=1e-12)


def test_lr_sizes_the_steps_below_the_cap():
    (start, *_), (first, *_) = walk()
    moves = [
        np.abs(run(gw.Surefoot, [start], [first[:1]], lr=lr, keep=0.0).state("self_scaled.of.z", 0) - start).max()
        for lr in (0.0, 0.1, 1.0, 100.0, 200.0)
    ]
    assert moves[0] == 0
    np.testing.assert_allclose(moves[2], 10 * moves[1], rtol=1e-12)
    np.testing.assert_allclose(moves[3] / moves[2], 0.1 / 0.04, rtol=1e-12)
    assert moves[4] == moves[3]


def test_nothing_but_a_gradient_moves_k():
    start, steps = walk()
    steps = [step if t < 6 else [np.zeros_like(step[0]), None, *step[2:]] for t, step in enumerate(steps)]
    before, after = run(gw.Surefoot, start, steps[:6]), run(gw.Surefoot, start, steps)
    key = "self_scaled.k"
    for index in (0, 1):
        assert before.state(key, index) == after.state(key, index) != 0
    assert before.state(key, 2) != after.state(key, 2)


def test_a_tensor_that_joins_late_counts_its_own_steps():
    """At its first two steps the weights and their average lie together, and what rounding leaves says nothing."""
    early, late = (torch.nn.Parameter(torch.tensor(start)) for start in normals(((4, 3), (3, 5)), 1))
    optimizer = gw.Surefoot([early], engine="eager")
    found = []
    for t in range(9):
        if t == 5:
            optimizer.add_param_group({"params": [late]})
        for param in (early, late)[: 1 + (t >= 5)]:
            param.grad = param.detach().sin()
        optimizer.step()
        found.append([float(optimizer.state[param].get("self_scaled.k", 0.0)) for param in (early, late)])
    assert [late for _, late in found[:7]] == [0.0] * 7
    assert found[7][1] == found[2][0] != 0
    assert found[8][0] != found[4][0]


def test_what_is_frozen_rests_and_goes_on():
    """A layer that is frozen for a while keeps k and its average; thawed, it goes on where it was."""
    start, steps = walk()
    rest = [[None, *step[1:]] for step in steps[4:8]]
    before, within = run(gw.Surefoot, start, steps[:4]), run(gw.Surefoot, start, steps[:4] + rest)
    for key in ("self_scaled.k", "self_scaled.of.z", "self_scaled.of.weight_sum", "precondition.v", "step"):
        assert np.array_equal(before.state(key), within.state(key)), key
    assert np.array_equal(before.last[0], within.last[0])


def test_each_matrix_of_a_stack_finds_its_own_scale():
    (first, second), steps = walk(((4, 3), (4, 3)))
    steps = [[one, 1e3 * other] for one, other in steps]
    apart = run(gw.Surefoot, [first, second], steps)
    together = run(gw.Surefoot, [np.stack([first, second])], [[np.stack(step)] for step in steps])
    np.testing.assert_allclose(together.last[0], np.stack(apart.last), rtol=1e-11)
    assert together.state("self_scaled.k").ravel().tolist() == [
        float(apart.state("self_scaled.k", at)) for at in (0, 1)
    ]


@pytest.mark.parametrize("engine", ["eager", "torch", "auto"])
@pytest.mark.parametrize(("shape", "axis"), [((4, 3), 0), ((2, 4, 3), 1), ((2, 3, 2, 2), 0), ((1, 3), 0)], ids=str)
def test_matrices_stored_as_one_move_as_if_they_were_apart(shape, axis, engine):
    start, steps = walk((shape,) * 3)
    sizes = (1.0, 1e3, 1e-3)  # each finds a scale of its own
    steps = [[size * g for size, g in zip(sizes, step)] for step in steps]
    roles = ["stack" if axis else "matrix" if len(shape) == 2 else "convolution"] * 3
    apart = run(gw.Surefoot, start, steps, roles=roles)
    fused = [np.concatenate(start, axis)], [[np.concatenate(step, axis)] for step in steps]
    together = run(gw.Surefoot, *fused, split=3, engine=engine, roles=roles[:1])
    np.testing.assert_allclose(together.last[0], np.concatenate(apart.last, axis), rtol=1e-10, atol=1e-14)
    found = np.concatenate([apart.state("self_scaled.k", at).ravel() for at in range(3)])
    k = together.state("self_scaled.k")
    assert len(set(found)) > 1
    assert sorted(k.ravel()) == sorted(found)


def test_blocks_are_checkpointed(tmp_path):
    start, steps = walk(((6, 4),))
    whole = run(gw.Surefoot, start, steps, split=3)
    half = run(gw.Surefoot, start, steps[:6], split=3)
    torch.save(half.optimizer.state_dict(), tmp_path / "state.pt")
    param = torch.nn.Parameter(torch.tensor(half.last[0]))
    resumed = gw.Surefoot([param], split=3, engine="eager")
    resumed.load_state_dict(torch.load(tmp_path / "state.pt"))
    for step in steps[6:]:
        param.grad = torch.tensor(step[0])
        resumed.step()
    assert np.array_equal(param.detach().numpy(), whole.last[0])


@pytest.mark.parametrize(
    ("shape", "split", "kind", "message"),
    [
        ((4, 3), 3, ValueError, "has 4 rows, and split=3 does not divide them"),
        ((6,), 3, ValueError, "not a matrix, and split=3 cuts matrices into blocks of rows"),
        ((6, 3), 0, ValueError, "split=0 must be at least 1"),
        ((6, 3), (2, 4), TypeError, "split"),
    ],
)
def test_a_split_that_fits_nothing_is_refused(shape, split, kind, message):
    with pytest.raises(kind, match=message):
        gw.Surefoot([torch.nn.Parameter(torch.zeros(shape))], split=split)


def test_a_model_of_zeros_learns():
    layer = torch.nn.Linear(3, 1)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    x = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    optimizer = gw.Surefoot(layer.parameters())
    for _ in range(300):
        optimizer.zero_grad()
        loss = (layer(x)[:, 0] - x.sum(1)).square().mean()
        loss.backward()
        optimizer.step()
    with optimizer.evaluating():
        assert (layer(x)[:, 0] - x.sum(1)).square().mean() < 0.05
