"""Penalties: proximal steps are minima, conjugates are maxima, and the same penalty holds in other coordinates."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from gradwright.linear_model.losses import Penalty

GROUPS = [np.array([1, 2]), np.array([4])]


def penalty(l2=0.3):
    return Penalty.split(1.0, 1 / (1 + l2), np.array([1.0, 2.0, 0.5, 0.0, 1.5]) * (1 + l2), GROUPS)


def test_strengths_are_split():
    one = penalty()
    np.testing.assert_allclose(one.l1, [1.0, 0.0, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(one.l2, 0.3 * np.array([1.0, 2.0, 0.5, 0.0, 1.5]))
    np.testing.assert_allclose(one.gamma, [np.sqrt(2) * 1.25, 1.5])
    assert one.group_of.tolist() == [-1, 0, 0, -1, 1]
    assert one.smooth_columns.tolist() == [False, False, False, True, False]


@pytest.mark.parametrize("column", [0, 1, 3, 4])
@pytest.mark.parametrize("size", [0.1, 3.0])
def test_a_proximal_step_is_a_minimum(column, size):
    one, rng = penalty(), np.random.default_rng(column)
    place = [column] if one.group_of[column] < 0 else GROUPS[one.group_of[column]]
    t = size * rng.normal(size=(len(place), 2))
    x = one.prox(t, 2.0, column)

    def value(x):
        theta = np.zeros((5, 2))
        theta[place] = x.reshape(-1, 2)
        return float(np.sum(x.reshape(-1, 2) ** 2) - np.sum(t * x.reshape(-1, 2))) + one.kinks(theta)

    found = minimize(value, x.ravel() + 0.1, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10})
    assert value(x.ravel()) <= found.fun + 1e-9


def test_a_conjugate_is_a_maximum():
    one, rng = replace(penalty(), l2=np.array([0.3, 0.6, 0.6, 0.0, 0.45])), np.random.default_rng(0)
    G = 3 * rng.normal(size=(5, 2))
    G[3] = 0.0  # the column without a penalty
    found = minimize(lambda t: one.value(t.reshape(5, 2)) - np.sum(G * t.reshape(5, 2)), np.ones(10), method="Powell")
    assert one.feasible(G) == 1.0
    assert one.conjugate(G) >= -found.fun - 1e-9
    assert one.conjugate(G) == pytest.approx(-found.fun, rel=1e-4)


def test_slopes_are_shrunk_until_their_conjugate_is_finite():
    one = penalty(0.0)
    G = np.array([[2.0], [3.0], [4.0], [0.0], [1.0]])
    part = one.feasible(G)
    assert part == pytest.approx(min(1 / 2, np.sqrt(2) * 1.25 / 5))
    assert one.excess(part * G).max() == pytest.approx(0.0, abs=1e-15)


def test_other_coordinates_and_fewer_columns():
    one, scale = penalty(), np.array([2.0, 4.0, 4.0, 1.0, 0.5])
    W = np.random.default_rng(1).normal(size=(5, 3))
    assert one.scaled(scale).value(scale[:, None] * W) == pytest.approx(one.value(W))
    order = np.array([3, 0, 1, 2])
    some = one.restricted(order, free=1)
    W[4] = 0.0
    assert some.value(np.vstack([W[order], np.ones((1, 3))])) == pytest.approx(one.value(W))
    assert some.blocks() == [slice(0, 1), slice(1, 2), slice(2, 4), slice(4, 5)]
