"""Named parameters find their state in whatever groups they stand; unnamed ones go by order, as in torch."""

import warnings

import pytest
import torch

import gradwright
from tests.optimizer.models import leaf, train

NAMES = ("a", "b", "c", "d")


def tensors():
    return {name: leaf(3, 4, seed=seed) for seed, name in enumerate(NAMES)}


def optimizer(*groups, recipe=gradwright.AdamW, **knobs):
    """One group for each string, which names its parameters, or for each pair of a string and hyper-parameters."""
    have = tensors()
    pairs = [(group, {}) if isinstance(group, str) else group for group in groups]
    return recipe([{"params": [(name, have[name]) for name in names], **extra} for names, extra in pairs], **knobs)


def own(made):
    return {n: p for group in made.param_groups for n, p in zip(group["param_names"], group["params"])}


def by_name(made):
    return {name: made.state[param] for name, param in own(made).items()}


def trained(*groups, **knobs):
    made = optimizer(*groups, **knobs)
    for time in range(3):
        for name, param in own(made).items():
            param.grad = (1 + NAMES.index(name) + time) * torch.ones_like(param)
        made.step(loss=torch.tensor(1.0))
    return made


def assert_same_moments(first, second, names=NAMES):
    for name in names:
        for key, value in by_name(first)[name].items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(by_name(second)[name][key])), (name, key)


def quietly(made, saved):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made.load_state_dict(saved)


def test_the_same_groups_in_another_order_take_their_own_hyper_parameters():
    first = trained(("ab", {"lr": 0.1}), ("cd", {"lr": 0.2}))
    second = optimizer("dc", "ab", lr=0.3)
    quietly(second, first.state_dict())
    assert_same_moments(first, second)
    assert [group["lr"] for group in second.param_groups] == [0.2, 0.1]


def test_parameters_that_changed_groups_keep_their_state():
    first = trained(("ab", {"lr": 0.1}), ("cd", {"lr": 0.2}))
    second = optimizer("a", "bcd", lr=0.3)
    with pytest.warns(
        UserWarning, match="in other groups: each group takes the hyper-parameters of the saved group at"
    ):
        second.load_state_dict(first.state_dict())
    assert_same_moments(first, second)
    assert [group["lr"] for group in second.param_groups] == [0.1, 0.2]


def test_where_all_groups_were_alike_there_is_nothing_to_say():
    first, second = trained("ab", "cd", lr=0.1), optimizer("ac", "bd", lr=0.3)
    quietly(second, first.state_dict())
    assert_same_moments(first, second)
    assert [group["lr"] for group in second.param_groups] == [0.1, 0.1]


@pytest.mark.parametrize("groups", [("abcd",), ("ab", "c", "d")])
def test_with_another_number_of_groups_they_keep_their_hyper_parameters(groups):
    first, second = trained("ab", "cd", lr=0.1), optimizer(*groups, lr=0.3)
    with pytest.warns(UserWarning, match=f"2 parameter groups where the optimizer has {len(groups)}.*keep their own"):
        second.load_state_dict(first.state_dict())
    assert_same_moments(first, second)
    assert {group["lr"] for group in second.param_groups} == {0.3}
    assert {group["clock"] for group in second.param_groups} == {3}


def test_the_continued_run_is_the_same_whatever_the_groups():
    first = trained("ab", "cd")
    second = optimizer("d", "cab")
    for mine, yours in zip(_params(second), _params(first)):
        mine.data.copy_(yours.data)
    second.load_state_dict(first.state_dict())
    for made in (first, second):
        for param in _params(made):
            param.grad = param.detach() - 1
        made.step()
    for mine, yours in zip(_params(second), _params(first)):
        assert torch.equal(mine, yours)


def _params(made):
    return [own(made)[name] for name in NAMES]


def test_where_some_names_are_new_they_start_afresh_and_the_rest_is_found():
    first, second = trained("abc"), optimizer("dab")
    with pytest.warns(UserWarning, match="starts 'd' afresh and leaves out 'c'"):
        second.load_state_dict(first.state_dict())
    assert_same_moments(first, second, "ab")
    assert by_name(second)["d"]["step"] == 0


def test_a_parameter_of_another_recipe_is_refused_by_name():
    first = optimizer(("ab", {"recipe": "Lion"}), "cd")
    second = optimizer("abcd")
    with pytest.raises(ValueError, match="a was saved by Lion, and its group runs AdamW; load it into Lion"):
        second.load_state_dict(first.state_dict())


def test_names_on_one_side_only_go_by_order():
    first = trained("abcd")
    second = gradwright.AdamW(list(tensors().values()))
    quietly(second, first.state_dict())
    states = [second.state[param] for param in second.param_groups[0]["params"]]
    for name, state in zip("abcd", states):
        assert torch.equal(state["ema.m"], by_name(first)[name]["ema.m"])


def test_unnamed_groups_of_another_number_are_refused_with_the_way_out():
    first = gradwright.AdamW(list(tensors().values()))
    train(first)
    second = gradwright.AdamW([{"params": [p]} for p in tensors().values()])
    with pytest.raises(ValueError, match=r"1 parameter groups, this AdamW has 4; .*named_parameters\(\)"):
        second.load_state_dict(first.state_dict())


def test_a_name_that_two_parameters_have_decides_nothing():
    have = list(tensors().values())
    twins = [("x", have[0]), ("x", have[1])]
    first, second = gradwright.AdamW(twins), gradwright.AdamW(twins)
    train(first, 2)
    quietly(second, first.state_dict())
    assert torch.equal(first.state[have[1]]["ema.m"], second.state[have[1]]["ema.m"])
