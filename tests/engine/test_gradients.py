"""Gradients as autograd and users hand them over: other strides, views, missing ones, latecomers."""

import pytest
import torch

from gradwright import SGD, Adafactor, AdamW, Lamb, NAdam, ScheduleFreeAdamW
from gradwright.contract.training import noise
from tests.engine.pair import Pair, leaves, left_to_eager

pytestmark = pytest.mark.usefixtures("compiler")

RECIPES = pytest.mark.parametrize("recipe", [AdamW, Lamb, Adafactor], ids=lambda r: r.recipe_name)

GRADIENTS = {
    "expanded from one number": lambda: torch.tensor(0.5).expand(6, 4),
    "expanded from a row": lambda: noise(1, (1, 4)).expand(6, 4),
    "expanded from a column": lambda: noise(1, (6, 1)).expand(6, 4),
    "transposed": lambda: noise(2, (4, 6)).t(),
    "every second": lambda: noise(3, (12, 8))[::2, ::2],
    "an imaginary part": lambda: noise(5, (6, 4), torch.complex64).conj().imag,
    "at an odd offset": lambda: noise(6, (25,))[1:].reshape(6, 4),
    "that requires a gradient": lambda: noise(7, (6, 4)).requires_grad_(),
}


@RECIPES
@pytest.mark.parametrize("kind", GRADIENTS)
def test_gradients_of_any_layout(recipe, kind):
    pair = Pair(recipe, lambda: [*leaves((6, 4))(), noise(9, (4, 6)).t().requires_grad_()])
    for _ in range(2):
        pair.step([GRADIENTS[kind](), GRADIENTS[kind]()])
    pair.close(1e-5)


def test_the_negative_view_of_one_number():
    pair = Pair(AdamW, leaves((), (1,)))
    one = noise(1, (1,), torch.complex64).conj().imag
    pair.step([one[0], one]).close()


def test_gradients_are_not_written():
    for grad in (noise(1, (6, 4)), noise(1, (4, 6)).t()):
        copy = grad.clone()
        pair = Pair(AdamW, leaves((6, 4))).step([grad])
        assert pair.params(pair.fused)[0].grad is grad
        assert torch.equal(grad, copy)


def test_one_gradient_for_two_parameters():
    grad = noise(1, (6, 4))
    Pair(AdamW, leaves((6, 4), (6, 4))).step([grad, grad]).close()


def test_a_gradient_that_is_the_parameter_itself():
    def train(engine):
        (param,) = leaves((50, 40))()
        optimizer = AdamW([param], lr=0.1, engine=engine)
        for _ in range(3):
            param.grad = param.detach()
            optimizer.step()
        return param.detach()

    torch.testing.assert_close(train("cpp"), train("eager"))


@pytest.mark.parametrize("recipe", [AdamW, NAdam, ScheduleFreeAdamW, Adafactor], ids=lambda r: r.recipe_name)
def test_latecomers_have_an_age_of_their_own(recipe):
    pair = Pair(recipe, leaves((6, 4), (5,), (6, 4), (7,)))
    for time in range(6):
        grads = pair.gradients()
        grads[1] = grads[1] if time >= 2 else None
        grads[2] = grads[2] if time >= 4 else None
        pair.step(grads)
        pair.close(1e-5)
    assert [state["step"] for state in pair.fused.state.values()] == [6, 4, 2, 6]


def test_gradients_that_come_and_go(compilations):
    pair = Pair(AdamW, leaves(*[(6, 4)] * 6))
    for time in range(8):
        pair.step([grad if (index + time) % 3 else None for index, grad in enumerate(pair.gradients())])
        if time == 0:
            del compilations[:]
    pair.close()
    assert not compilations


def test_no_gradient_at_all():
    pair = Pair(AdamW, leaves((6, 4))).step()
    before = pair.params(pair.fused)[0].detach().clone()
    pair.step([None])
    assert torch.equal(pair.params(pair.fused)[0].detach(), before)
    pair.step().close()


@pytest.mark.parametrize("recipe", [AdamW, Lamb, SGD], ids=lambda r: r.recipe_name)
def test_maximize(recipe):
    pair = Pair(recipe, leaves((6, 4), (5,)), maximize=True).steps(3)
    pair.close(1e-5)
    assert left_to_eager(pair.fused) == 0


def test_maximize_may_change():
    pair = Pair(AdamW, leaves((6, 4))).steps(2)
    pair.step(maximize=True).step(maximize=False)
    pair.close()


def test_groups_with_settings_of_their_own():
    def make():
        one, two, three, four = leaves((6, 4), (5,), (6, 4), (3, 3))()
        return [
            {"params": [one], "lr": 0.1, "betas": (0.5, 0.9)},
            {"params": [two, three], "weight_decay": 0.5, "maximize": True},
            {"params": [four], "amsgrad": True},
        ]

    pair = Pair(AdamW, make).steps(4)
    pair.close()
    assert left_to_eager(pair.fused) == 0


def test_parameters_may_join_and_leave():
    pair = Pair(AdamW, leaves((6, 4), (5,))).steps(2)
    for optimizer in (pair.fused, pair.eager):
        optimizer.add_param_group({"params": leaves((3, 3))(), "lr": 0.1})
    pair.steps(2)
    for optimizer in (pair.fused, pair.eager):
        del optimizer.param_groups[0]["params"][0]
    pair.steps(2).close()
