"""Several recipes in one optimizer, and torch's helpers around it."""

import copy
import io
import pickle

import pytest
import torch
from torch.optim.lr_scheduler import CyclicLR, OneCycleLR
from torch.optim.swa_utils import SWALR, AveragedModel

import gradwright
from gradwright.contract.training import changes, copies, snapshot
from gradwright.optimizer.recipe import registry
from tests.optimizer.models import leaf, model, train


def _groups(*recipes, **knobs):
    return [{"params": [leaf(seed=i)], "recipe": recipe, **knobs} for i, recipe in enumerate(recipes)]


def _betas(group):
    return group["betas"][0]


@pytest.mark.parametrize("recipes", [("Muon", "AdamW"), ("AdamW", "Muon"), ("AdamW", "Lion"), ("Tiger", "AdaBelief")])
def test_one_cycle_cycles_the_momentum_of_every_recipe(recipes):
    optimizer = gradwright.Optimizer(_groups(*recipes))
    schedule = OneCycleLR(optimizer, [0.1, 0.2], total_steps=6)
    seen = []
    for step in range(5):
        train(optimizer, first=step)
        schedule.step()
        seen.append([(group["lr"], _betas(group)) for group in optimizer.param_groups])
    for group in zip(*seen):
        assert len({lr for lr, _ in group}) > 3
        assert len({beta for _, beta in group}) > 3


@pytest.mark.parametrize("scheduler", ["OneCycleLR", "CyclicLR"])
@pytest.mark.parametrize("recipe", ["Adafactor", "SM3", "Amos", "SGDS"])
def test_a_momentum_that_is_switched_off_is_not_cycled(recipe, scheduler):
    def schedule(optimizer, **arguments):
        if scheduler == "OneCycleLR":
            return OneCycleLR(optimizer, 0.1, total_steps=6, **arguments)
        return CyclicLR(optimizer, 0.01, 0.1, step_size_up=2, **arguments)

    cls = registry[recipe]
    with pytest.raises(ValueError, match="cycle_momentum"):
        schedule(cls([leaf()]))
    for still in (cls([leaf()]), cls([leaf()], momentum=0.5)):
        on = still.param_groups[0]["momentum"] != 0
        driver = schedule(still, cycle_momentum=on)
        train(still)
        driver.step()
        assert (still.param_groups[0]["momentum"] != 0) == on


@pytest.mark.parametrize("beside", [{"recipe": "AdamW"}, {"recipe": "Muon"}, {"recipe": "SGD", "momentum": 0.9}])
def test_nor_beside_one_that_is(beside):
    quiet, loud = _groups("Adafactor", beside["recipe"])
    optimizer = gradwright.Optimizer([quiet, {**loud, **beside}])
    alone = gradwright.Adafactor([leaf(seed=0)])
    schedule = OneCycleLR(optimizer, [0.1, 0.2], total_steps=6)
    moving = set()
    for step in range(4):
        alone.param_groups[0]["lr"] = optimizer.param_groups[0]["lr"]
        train(optimizer, first=step)
        train(alone, first=step)
        schedule.step()
        moving.add(_betas(optimizer.param_groups[1]))
    assert torch.equal(optimizer.param_groups[0]["params"][0], alone.param_groups[0]["params"][0])
    assert len(moving) > 3


def test_sgd_is_cycled_as_torchs_is():
    walks = []
    for optimizer in (gradwright.SGD([leaf()], lr=0.1), torch.optim.SGD([leaf()], lr=0.1)):
        schedule = OneCycleLR(optimizer, 0.1, total_steps=6)
        for _ in range(5):
            (param,) = optimizer.param_groups[0]["params"]
            param.grad = param.detach() - 1
            optimizer.step()
            schedule.step()
        walks.append(param.detach())
    torch.testing.assert_close(*walks)


def test_a_cycled_beta_reaches_muon():
    cycled = gradwright.Optimizer(_groups("Muon", "AdamW"))
    alone = gradwright.Muon([leaf(seed=0)])
    for step, beta in enumerate((0.9, 0.5, 0.7)):
        cycled.param_groups[0]["betas"] = (beta,)
        alone.param_groups[0]["momentum"] = beta
        train(cycled, first=step)
        train(alone, first=step)
    assert torch.equal(cycled.param_groups[0]["params"][0], alone.param_groups[0]["params"][0])


def test_groups_step_as_their_recipes_do_alone():
    together = gradwright.Optimizer(_groups("AdamW", lr=0.1) + _groups("Lion", lr=0.01))
    alone = [gradwright.AdamW([leaf()], lr=0.1), gradwright.Lion([leaf()], lr=0.01)]
    for time in range(4):
        for group, other in zip(together.param_groups, alone):
            for optimizer_group in (group, other.param_groups[0]):
                param = optimizer_group["params"][0]
                param.grad = (1 + time) * (param.detach() - 1)
        for optimizer in (together, *alone):
            optimizer.step()
    for group, other in zip(together.param_groups, alone):
        assert torch.equal(group["params"][0], other.param_groups[0]["params"][0])


def test_a_routed_checkpoint_resumes_bitwise():
    recipes = ("AdamW", "ScheduleFreeAdamW", "AdaLo", "Adafactor", "CautiousAdamW")
    gradwright.cautious(gradwright.AdamW)
    first = gradwright.Optimizer(_groups(*recipes))
    train(first, 3)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    groups = [{**group, "params": copies(group["params"])} for group in first.param_groups]
    second = gradwright.Optimizer([{"params": g["params"], "recipe": g["recipe"]} for g in groups])
    second.load_state_dict(torch.load(file, weights_only=True))
    for optimizer in (first, second):
        train(optimizer, 3, first=3)
    assert not changes(snapshot(first), snapshot(second))


def test_routed_optimizers_copy_and_pickle():
    first = gradwright.Optimizer(_groups("Muon", "AdamW"))
    train(first, 2)
    others = copy.deepcopy(first), pickle.loads(pickle.dumps(first))
    for optimizer in (first, *others):
        train(optimizer, 2, first=2)
    for other in others:
        assert not changes(snapshot(first), snapshot(other))


def test_combined_classes_survive_pickling_as_themselves():
    for recipe in (gradwright.cautious(gradwright.AdamW), gradwright.lookahead(gradwright.cautious(gradwright.Lion))):
        assert pickle.loads(pickle.dumps(recipe)) is recipe
        assert copy.deepcopy(recipe) is recipe


def test_combinators_give_one_class_for_one_recipe():
    assert gradwright.cautious(gradwright.AdamW) is gradwright.cautious(gradwright.AdamW)


def test_an_averaged_model_follows():
    net = model()
    optimizer, average = gradwright.AdamW(net.parameters(), lr=0.1), AveragedModel(net)
    schedule = SWALR(optimizer, swa_lr=0.05, anneal_epochs=2)
    history = []
    for step in range(3):
        train(optimizer, first=step)
        average.update_parameters(net)
        schedule.step()
        history.append(copies(net.parameters()))
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05)
    for found, *seen in zip(average.module.parameters(), *history):
        torch.testing.assert_close(found, sum(seen) / 3)


def test_clipping_stays_torchs():
    clipped, by_hand = gradwright.SGD([leaf()], lr=1.0), gradwright.SGD([leaf()], lr=1.0)
    gradient = torch.full((3, 4), 2.0)
    for optimizer in (clipped, by_hand):
        optimizer.param_groups[0]["params"][0].grad = gradient.clone()
    norm = torch.nn.utils.clip_grad_norm_(clipped.param_groups[0]["params"], 1.0)
    by_hand.param_groups[0]["params"][0].grad = gradient / (norm + 1e-6)
    for optimizer in (clipped, by_hand):
        optimizer.step()
    torch.testing.assert_close(clipped.param_groups[0]["params"][0], by_hand.param_groups[0]["params"][0])


def test_zero_grad_is_torchs():
    optimizer = gradwright.AdamW([leaf()])
    param = optimizer.param_groups[0]["params"][0]
    param.grad = torch.ones(3, 4)
    optimizer.zero_grad(set_to_none=False)
    assert not param.grad.any()
    optimizer.zero_grad()
    assert param.grad is None


def test_a_role_given_by_hand_keeps_the_form_of_the_shape():
    bias = torch.ones(3, requires_grad=True)
    optimizer = gradwright.Lamb([{"params": [bias], "role": "bias"}], weight_decay=10.0)
    assert optimizer.spec_of(bias).roles == {"bias", "vector"}
    bias.grad = torch.zeros(3)
    optimizer.step()
    assert torch.equal(bias, torch.ones(3))  # vectors do not decay


def test_groups_may_climb_apart():
    up, down = leaf(), leaf()
    optimizer = gradwright.SGD([{"params": [up], "maximize": True}, {"params": [down]}], lr=0.1)
    up.grad = down.grad = torch.ones(3, 4)
    optimizer.step()
    torch.testing.assert_close(up.detach() - leaf(), leaf() - down.detach())


@pytest.mark.parametrize("order", [(gradwright.Lion, gradwright.AdamW), (gradwright.AdamW, gradwright.Lion)], ids=str)
def test_no_group_takes_the_hyper_parameters_of_another(order):
    first, second = order
    optimizer = gradwright.route(torch.nn.Linear(3, 2), {"matrix": first, "*": second})
    for group in optimizer.param_groups:
        own = registry[group["recipe"]].spec.defaults
        assert group["betas"] == own["betas"]


def test_a_group_of_another_recipe_in_a_recipes_class_has_its_own_defaults():
    params = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    optimizer = gradwright.AdamW([{"params": [params[0]]}, {"params": [params[1]], "recipe": "Lion"}], betas=(0.8, 0.9))
    assert [group["betas"] for group in optimizer.param_groups] == [(0.8, 0.9), (0.9, 0.99)]
