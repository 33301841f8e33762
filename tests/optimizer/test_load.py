"""Loading: what fits is taken exactly, whatever the order; what does not changes nothing."""

import copy
import re

import pytest
import torch

import gradwright
from gradwright.contract.training import changes, copies, snapshot
from tests.optimizer.models import leaf, model, train


def _saved(recipe=gradwright.AdamW, steps=3, **knobs):
    optimizer = recipe(model().parameters(), **knobs)
    train(optimizer, steps)
    return optimizer.state_dict()


def _other_recipe(saved):
    saved.update(_saved(gradwright.Lion))


def _more_groups(saved):
    saved["param_groups"] = saved["param_groups"] * 2


def _fewer_params(saved):
    saved["param_groups"][0]["params"].pop()


def _wrong_shape(saved):
    saved["state"][2]["ema.m"] = torch.zeros(5, 5)


def _no_tensor(saved):
    saved["state"][2]["ema.m"] = 1.0


def _missing_slot(saved):
    del saved["state"][1]["precondition.v"]


def _nan_step(saved):
    saved["state"][3]["step"] = float("nan")


def _step_of_another_kind(saved):
    saved["state"][3]["step"] = "three"


def _impossible_lr(saved):
    saved["param_groups"][0]["lr"] = -1.0


def _no_groups(saved):
    del saved["param_groups"]


def _no_state(saved):
    del saved["state"]


MISFITS = {
    _other_recipe: ("saved by Lion", "runs AdamW"),
    _more_groups: ("2 parameter groups", "AdamW has 1"),
    _fewer_params: ("group 0 has 3 parameters", "has 4"),
    _wrong_shape: ("'ema.m'", "parameter 2", "(5, 5)", "(2, 4)"),
    _no_tensor: ("'ema.m'", "parameter 2", "float"),
    _missing_slot: ("'precondition.v'", "parameter 1"),
    _nan_step: ("'step'", "parameter 3", "nan"),
    _step_of_another_kind: ("'step'", "parameter 3", "three"),
    _impossible_lr: ("AdamW", "lr=-1"),
    _no_groups: ("param_groups", "state_dict()"),
    _no_state: ("state", "state_dict()"),
}


@pytest.mark.parametrize("damage", MISFITS, ids=lambda damage: damage.__name__.strip("_"))
def test_a_state_dict_that_does_not_fit_changes_nothing(damage):
    optimizer = gradwright.AdamW(model().parameters(), lr=0.1)
    train(optimizer, 2)
    saved = _saved()
    damage(saved)
    before, held = snapshot(optimizer), [dict(optimizer.state[p]) for p in optimizer.param_groups[0]["params"]]
    with pytest.raises(ValueError, match=re.escape(MISFITS[damage][0])) as refusal:
        optimizer.load_state_dict(saved)
    for word in MISFITS[damage]:
        assert word in str(refusal.value)
    assert not changes(before, snapshot(optimizer))
    for param, state in zip(optimizer.param_groups[0]["params"], held):
        assert all(optimizer.state[param][key] is value for key, value in state.items())


def test_a_number_that_is_not_finite_is_refused():
    saved = _saved(gradwright.NAdam)
    saved["state"][0]["nesterov_schedule.product"] = float("nan")
    optimizer = gradwright.NAdam(model().parameters())
    before = snapshot(optimizer)
    with pytest.raises(
        ValueError, match=r"'nesterov_schedule.product' of parameter 0 is nan; the checkpoint is damaged"
    ):
        optimizer.load_state_dict(saved)
    assert not changes(before, snapshot(optimizer))


def test_declared_types_are_kept():
    params = [leaf(dim, 3).detach().bfloat16().requires_grad_() for dim in (2, 4)]
    knobs = {"momentum": 0.9}
    first = gradwright.Adafactor(params, **knobs)
    train(first, 3)
    second = gradwright.Adafactor(copies(params), **knobs)
    second.load_state_dict(first.state_dict())
    state = second.state[second.param_groups[0]["params"][0]]
    types = {key: value.dtype for key, value in state.items() if isinstance(value, torch.Tensor)}
    assert types == {
        "precondition.row": torch.float32,
        "precondition.column": torch.float32,
        "ema.m": torch.bfloat16,
    }
    assert not changes(snapshot(first), snapshot(second))


def test_a_shared_value_stays_double_and_one():
    first = gradwright.AdaLo([leaf(seed=s).detach().bfloat16().requires_grad_() for s in (1, 2, 3)])
    train(first, 3)
    second = gradwright.AdaLo(copies(first.param_groups[0]["params"]))
    second.load_state_dict(first.state_dict())
    values = [second.state[param]["loss_scale"] for param in second.param_groups[0]["params"]]
    assert all(value is values[0] for value in values)
    assert values[0].dtype == torch.float64
    train(first, 2, first=3)
    train(second, 2, first=3)
    assert not changes(snapshot(first), snapshot(second))


def test_state_without_an_entry_starts_afresh_and_shares():
    first = gradwright.AdaLo([leaf(seed=s) for s in (1, 2, 3)])
    train(first, 3)
    saved = first.state_dict()
    del saved["state"][0], saved["state"][2]
    second = gradwright.AdaLo([leaf(seed=s) for s in (1, 2, 3)])
    train(second, 2)
    second.load_state_dict(saved)
    states = [second.state[param] for param in second.param_groups[0]["params"]]
    assert [state["step"] for state in states] == [0.0, 3.0, 0.0]
    assert not states[0]["ema.m"].any()
    assert len({id(state["loss_scale"]) for state in states}) == 1
    train(second)


def test_loaded_tensors_are_copies():
    saved = _saved()
    kept = copy.deepcopy(saved)
    optimizer = gradwright.AdamW(model().parameters())
    optimizer.load_state_dict(saved)
    train(optimizer, 3)
    for index, state in kept["state"].items():
        assert all(
            torch.equal(torch.as_tensor(value), torch.as_tensor(saved["state"][index][k])) for k, value in state.items()
        )
    assert saved["param_groups"] == kept["param_groups"]


def test_hyper_parameters_come_from_the_state_dict():
    optimizer = gradwright.AdamW(model().parameters(), lr=0.5)
    optimizer.load_state_dict(_saved(lr=0.125, betas=(0.5, 0.75)))
    assert (optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["betas"]) == (0.125, (0.5, 0.75))


def test_names_find_their_state_in_another_order():
    first = gradwright.AdamW(model().named_parameters())
    train(first, 3)
    second = gradwright.AdamW(list(reversed(list(model().named_parameters()))))
    second.load_state_dict(first.state_dict())
    before, after = snapshot(first), snapshot(second)
    own = {"param_names of group 0"} | {name for name in before if "weights of" in name}
    assert set(changes(before, after)) <= own
    assert second.param_groups[0]["param_names"][0] == "2.bias"


def test_a_tensor_that_is_in_no_state_dict_of_that_name_warns():
    first = gradwright.AdamW(model().named_parameters())
    train(first)
    renamed = [(f"net.{name}", param) for name, param in model().named_parameters()]
    second = gradwright.AdamW(renamed)
    with pytest.warns(UserWarning, match="no 'net.0.weight'.*order"):
        second.load_state_dict(first.state_dict())
    assert second.state[renamed[0][1]]["step"] == 1
    assert second.param_groups[0]["param_names"][0] == "net.0.weight"


def test_the_argument_goes_by_its_name_in_torch():
    gradwright.AdamW(model().parameters()).load_state_dict(state_dict=_saved())


def test_roles_belong_to_the_model_and_are_not_loaded():
    first = gradwright.Tiger([{"params": [leaf(5)], "role": "gain"}])
    second = gradwright.Tiger([{"params": [leaf(5)], "role": "bias"}])
    second.load_state_dict(first.state_dict())
    assert second.param_groups[0]["roles"] == ["bias"]


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no distributed checkpoints")
def test_distributed_checkpoints_get_and_set_the_state_by_names():
    from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict

    nets = model(), model()
    first, second = (gradwright.AdaLo(net.parameters()) for net in nets)
    train(first, 3)
    nets[1].load_state_dict(nets[0].state_dict())
    set_optimizer_state_dict(nets[1], second, get_optimizer_state_dict(nets[0], first))
    for optimizer in (first, second):
        train(optimizer, 2, first=3)
    assert not changes(snapshot(first), snapshot(second))
