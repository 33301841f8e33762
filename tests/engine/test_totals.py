"""Totals in kernels: sums over all parameters, whatever engine runs each of them."""

from __future__ import annotations

import warnings

import pytest
import torch

from gradwright.core import Total
from gradwright.core.ops import norm
from gradwright.optimizer.recipe import registry
from gradwright.transforms import Orthogonalize
from tests.engine.pair import Pair, leaves, left_to_eager
from tests.engine.parts import AVERAGED, CLIPPED, Does, recipe_of

pytestmark = pytest.mark.usefixtures("compiler")
SHAPES = ((33, 7), (5,), (), (40000,))


@pytest.mark.parametrize("part", [CLIPPED, AVERAGED], ids=["clipped", "averaged"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_totals_are_those_of_eager(part, dtype):
    with recipe_of(part) as recipe:
        pair = Pair(recipe, leaves(*SHAPES, dtype=dtype)).steps(5)
        pair.close({torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 2e-2}[dtype])
        assert left_to_eager(pair.fused) == 0


def test_tensors_on_plain_torch_and_in_kernels_share_a_total():
    """A complex tensor and overlapping ones run eagerly beside the others."""

    def make():
        alone = leaves(*SHAPES)()
        return [*alone, torch.ones(3, dtype=torch.complex64).requires_grad_()]

    with recipe_of(AVERAGED) as recipe:
        pair = Pair(recipe, make).steps(4)
        pair.close(1e-5)
        assert left_to_eager(pair.fused) == 1


def test_totals_run_over_groups_and_ages():
    def make():
        one, two, three, four = leaves((4, 3), (6,), (3, 4), (2, 2))()
        return [{"params": [one, two]}, {"params": [three, four], "lr": 0.01}]

    with recipe_of(AVERAGED) as recipe:
        pair = Pair(recipe, make)
        for time in range(6):
            grads = pair.gradients()
            pair.step([None if index in (1, 3) and time < 2 + index else g for index, g in enumerate(grads)])
        pair.close(1e-5)


def test_gradients_laid_out_otherwise_are_summed_too():
    def turned(grads):
        return [g.t().contiguous().t() if g.dim() == 2 else g for g in grads]

    with recipe_of(CLIPPED) as recipe:
        pair = Pair(recipe, leaves((33, 7), (300, 2), (5,)))
        for _ in range(3):
            pair.step(turned(pair.gradients()))
        pair.close(1e-5)


def test_a_total_before_plain_torch_is_fused_and_one_after_it_is_not():
    for links, expected in (((CLIPPED, Orthogonalize()), 0), ((Orthogonalize(), CLIPPED), 2)):
        with recipe_of(*links) as recipe, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pair = Pair(recipe, leaves((8, 6), (6, 8))).steps(3)
            pair.close(1e-4)
            assert left_to_eager(pair.fused) == expected


def test_one_name_twice_in_a_step_is_an_error_on_every_engine():
    def twice(u, state, ctx):
        first = yield Total("name", norm(u))
        second = yield Total("name", norm(u))
        return u / (first + second), state

    with recipe_of(Does(twice)) as recipe:
        for engine in ("eager", "cpp"):
            (param,) = leaves((3,))()
            param.grad = torch.ones(3)
            with pytest.raises(RuntimeError, match="settled twice"):
                recipe([param], engine=engine).step()


def test_explain_shows_the_sum_and_the_report_the_kernel_that_asks():
    with recipe_of(CLIPPED) as recipe:
        text = recipe(leaves((4, 3))()).explain()
    assert "Σ(" in text
    assert "hands over the parts of totals" in text
    assert "then the parts of square are summed over all parameters" in text


def test_a_step_holds_no_more_than_the_parts():
    """What waits for a total is a number of each tensor."""
    with recipe_of(CLIPPED) as recipe:
        params = leaves(*[(100,)] * 50)()
        optimizer = recipe(params)
        for param in params:
            param.grad = torch.ones_like(param)
        optimizer.step()
        (dispatch,) = optimizer._dispatch.groups.values()
        (batch,) = dispatch.batches
        ((bound, _),) = batch._bounds.values()
        assert bound.parts.shape == (1, 50)


def test_every_public_recipe_with_totals_is_fused():
    for recipe in registry.values():
        if recipe.made_by is not None:
            continue  # what other tests have combined, and what may refuse its defaults, is not public
        if "totals" in recipe.spec.traits and recipe.only is None and "needs_loss" not in recipe.spec.traits:
            params = leaves((8, 6), (6,))()
            optimizer = recipe(params)
            for param in params:
                param.grad = torch.ones_like(param)
            optimizer.step()
            assert left_to_eager(optimizer) == 0, recipe.recipe_name
