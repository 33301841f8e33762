"""Nothing in, nothing out: no rate, no gradient, no direction; and what is up is down."""

import numpy as np
import pytest

import gradwright as gw
import gradwright.transforms as parts
from tests.parity.rows import ROWS
from tests.runs import gradients, normals, run

STEPS = 4
each_row = pytest.mark.parametrize("row", [row for row in ROWS if not row.nan_at], ids=lambda row: row.name)


def walked(row, start, steps, **knobs):
    losses = [1.5] * STEPS if row.needs_loss else None
    return run(
        row.recipe, start, steps, roles=[row.role or ""] * len(start), losses=losses, **{**row.knobs, **knobs}
    ).last


def links_of(row):
    return row.recipe.chain(**row.knobs).links


def pulls_on_its_own(row):
    """Whether something draws the weights that is neither the gradient nor ``weight_decay``."""
    fixed = row.recipe is gw.Scion and any(isinstance(link, parts.Decay) for link in links_of(row))  # into its ball
    return fixed or any(isinstance(link, (parts.Constrain, parts.NormLoss)) for link in links_of(row))


def pulls_at_any_rate(row):
    """Whether weights shrink by an amount that the learning rate does not size."""
    kinds = [type(link) for link in links_of(row)]
    sized = kinds.index(parts.Scale) if parts.Scale in kinds else len(kinds)
    return parts.Constrain in kinds or parts.Decay in kinds[sized:]


def computed_anew(row):
    """Whether weights are solved for at every step, from sums of which they are the solution up to rounding."""
    return any(isinstance(link, parts.FollowRegularizedLeader) for link in links_of(row))


@each_row
def test_a_learning_rate_of_zero_moves_nothing(row):
    if "lr" in row.recipe.spec.initial:
        pytest.skip("lr is where its steps begin, and they have a least size")
    if pulls_at_any_rate(row):
        pytest.skip("it shrinks weights by an amount of its own")
    start = normals(row.shapes, 1)
    found = walked(row, start, gradients(row.shapes, STEPS, 2), lr=0.0)
    assert all(np.array_equal(p, q) for p, q in zip(found, start))


@each_row
def test_gradients_of_zero_move_nothing_but_by_decay(row):
    if pulls_on_its_own(row):
        pytest.skip("a penalty or a constraint draws the weights, gradient or not")
    start = normals(row.shapes, 1)
    without = {name: 0.0 for name in ("weight_decay", "lambd") if name in row.recipe.spec.defaults}
    found = walked(row, start, [[0 * p for p in start]] * STEPS, **without)
    rounding = 4 * np.finfo(float).eps if computed_anew(row) else 0.0
    assert all((abs(p - q) <= rounding * abs(q)).all() for p, q in zip(found, start))


@each_row
def test_weights_and_gradients_of_zero_stay_finite(row):
    zeros = [0 * p for p in normals(row.shapes, 1)]
    steps = [
        [0 * g for g in step] if t % 2 else step for t, step in enumerate(gradients(row.shapes, STEPS, 2), start=1)
    ]
    assert all(np.isfinite(p).all() for p in walked(row, zeros, steps))


@each_row
def test_climbing_is_descending_the_negative(row):
    start, steps = normals(row.shapes, 1), gradients(row.shapes, STEPS, 2)
    up, down = walked(row, start, steps, maximize=True), walked(row, start, [[-g for g in step] for step in steps])
    assert all(np.array_equal(p, q) for p, q in zip(up, down))


DECAYING = [gw.AdamW, gw.NAdamW, gw.AdaBelief, gw.Lion, gw.Muon]


@pytest.mark.parametrize("recipe", DECAYING)
def test_without_gradients_decoupled_decay_is_geometric(recipe):
    start = normals([(4, 3)], 1)
    found = run(recipe, start, [[0 * start[0]]] * STEPS, lr=0.1, weight_decay=0.5).last[0]
    np.testing.assert_allclose(found, start[0] * (1 - 0.1 * 0.5) ** STEPS, rtol=1e-13)
