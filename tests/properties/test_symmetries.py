"""What a recipe does not notice: the size of the gradient, the order of entries, the order of tensors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradwright as gw
from tests.parity.rows import FAST, ROWS
from tests.properties.draws import scales, seeds
from tests.runs import gradients, normals, run

STEPS = 4
MATRIX = ((4, 3),)
NO_EPS = {"eps": 0.0}

SCALE_FREE = {  # with the eps at which it is exactly so
    "Adam": (gw.Adam, NO_EPS),
    "AMSGrad": (gw.Adam, {**NO_EPS, "amsgrad": True}),
    "AdamW": (gw.AdamW, NO_EPS),
    "NAdam, torch": (gw.NAdam, NO_EPS),
    "NAdam, dozat": (gw.NAdam, {**NO_EPS, "form": "dozat"}),
    "NAdam, optax": (gw.NAdam, {**NO_EPS, "form": "optax"}),
    "NAdamW": (gw.NAdamW, NO_EPS),
    "AdaBelief": (gw.AdaBelief, NO_EPS),
    "Adafactor": (gw.Adafactor, {}),
    "Adafactor, momentum": (gw.Adafactor, {"momentum": 0.9}),
    "Lamb": (gw.Lamb, NO_EPS),
    "Lion": (gw.Lion, {}),
    "Tiger": (gw.Tiger, {}),
    "Muon": (gw.Muon, {}),
    "Muon, you": (gw.Muon, {"coefficients": "you"}),
    "ScheduleFreeAdamW": (gw.ScheduleFreeAdamW, NO_EPS),
    "CautiousAdamW": (gw.cautious(gw.AdamW), NO_EPS),
    "CautiousMuon": (gw.cautious(gw.Muon), {}),
    "LookaheadLion": (gw.lookahead(gw.Lion), {"k": 2}),
}
NOT_SCALE_FREE = {"SGD": (gw.SGD, {}, None), "AdaLo": (gw.AdaLo, {}, [1.0] * STEPS), "Adam": (gw.Adam, {}, None)}


@pytest.mark.parametrize("name", SCALE_FREE)
@given(seed=seeds, scale=scales)
def test_the_size_of_all_gradients_does_not_matter(name, seed, scale):
    recipe, knobs = SCALE_FREE[name]
    start, walk = normals(MATRIX, seed), gradients(MATRIX, STEPS, seed)
    plain = run(recipe, start, walk, lr=0.1, **knobs).last[0]
    scaled = run(recipe, start, [[scale * g for g in step] for step in walk], lr=0.1, **knobs).last[0]
    np.testing.assert_allclose(scaled, plain, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", NOT_SCALE_FREE)
def test_it_does_matter_where_it_should(name):
    """Adam's own eps included: tiny gradients make tiny steps."""
    recipe, knobs, losses = NOT_SCALE_FREE[name]
    start, walk = normals(MATRIX, 1), gradients(MATRIX, STEPS, 1)
    plain = run(recipe, start, walk, lr=0.1, losses=losses, **knobs).last[0]
    scaled = run(recipe, start, [[1e-7 * g for g in step] for step in walk], lr=0.1, losses=losses, **knobs).last[0]
    assert np.abs(scaled - plain).max() > 1e-6


ELEMENTWISE = [row for row in ROWS if "elementwise" in row.recipe.spec.traits]
DRAWN = (gw.APOLLO, gw.Flora, gw.Dion)
"""Recipes that look at a matrix along directions that are drawn for its rows or columns, in their order."""
ANY_ORDER_OF_ROWS = [row for row in ROWS if (4, 3) in row.shapes and row not in ELEMENTWISE and row.recipe not in DRAWN]


def params(rows):
    """Parameters for a test of rows, of which one for each recipe and combinator is fast."""
    return [pytest.param(row, id=row.name, marks=() if row in FAST else pytest.mark.slow) for row in rows]


def walked(row, start, steps):
    losses = [1.0 + t for t in range(len(steps))] if row.needs_loss else None
    return run(row.recipe, [start], [[g] for g in steps], roles=[row.role or ""], losses=losses, **row.knobs).last[0]


@pytest.mark.parametrize("row", params(ELEMENTWISE))
@given(seed=seeds)
def test_entries_of_an_elementwise_recipe_move_independently_of_their_order(row, seed):
    start = normals(MATRIX, seed)[0].ravel()
    steps = [step[0].ravel() for step in gradients(MATRIX, STEPS, seed)]
    order = np.random.RandomState(seed).permutation(start.size)
    plain, permuted = walked(row, start, steps), walked(row, start[order], [g[order] for g in steps])
    assert np.array_equal(permuted, plain[order])


@pytest.mark.parametrize("row", params(ANY_ORDER_OF_ROWS))
@given(seed=seeds)
def test_rows_and_columns_of_a_matrix_may_come_in_any_order(row, seed):
    start, steps = normals(MATRIX, seed)[0], [step[0] for step in gradients(MATRIX, STEPS, seed)]
    stream = np.random.RandomState(seed)
    order = np.ix_(stream.permutation(4), stream.permutation(3))
    plain, permuted = walked(row, start, steps), walked(row, start[order], [g[order] for g in steps])
    np.testing.assert_allclose(permuted, plain[order], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("row", params(ROWS))
@given(order_seed=st.integers(0, 99))
def test_tensors_may_come_in_any_order(row, order_seed):
    start, walk = normals(row.shapes, 5), gradients(row.shapes, STEPS, 6)
    order = np.random.RandomState(order_seed).permutation(len(start))
    roles, losses = [row.role or ""] * len(start), [1.0] * STEPS if row.needs_loss else None
    plain = run(row.recipe, start, walk, roles=roles, losses=losses, **row.knobs).last
    mixed = [[step[i] for i in order] for step in walk]
    permuted = run(row.recipe, [start[i] for i in order], mixed, roles=roles, losses=losses, **row.knobs).last
    assert all(np.array_equal(found, plain[i]) for found, i in zip(permuted, order))
