"""A damaged state_dict is refused by name, whatever is wrong with it, and changes nothing."""

import copy
import warnings

import pytest
import torch

import gradwright
from gradwright.contract.training import changes, snapshot
from tests.optimizer.models import leaf, model, train

SPARSE = torch.zeros(4, 3).to_sparse()
META = torch.zeros(4, 3, device="meta")
COMPLEX = torch.zeros(4, 3, dtype=torch.complex64)


def _quantised(saved):
    saved["state"][0]["ema.m"] = torch.quantize_per_tensor(torch.zeros(4, 3), 0.1, 0, torch.quint8)


def _entry(key, value):
    return lambda saved: saved["state"][0].update({key: value})


def _group(key, value):
    return lambda saved: saved["param_groups"][0].update({key: value})


def _whole(key, value):
    return lambda saved: saved.update({key: value})


DAMAGES = {
    "state is None": (_whole("state", None), ("'state'", "None")),
    "state is a list": (_whole("state", []), ("'state'", "list")),
    "groups are None": (_whole("param_groups", None), ("'param_groups'", "None")),
    "groups are a dict": (_whole("param_groups", {}), ("'param_groups'", "dict")),
    "a group is a number": (_whole("param_groups", [1]), ("group 0", "int")),
    "an entry is None": (lambda saved: saved["state"].update({0: None}), ("parameter 0", "None")),
    "an entry is a tensor": (lambda saved: saved["state"].update({1: COMPLEX}), ("parameter 1", "Tensor")),
    "params is None": (_group("params", None), ("group 0", "'params'", "None")),
    "params is a number": (_group("params", 3), ("group 0", "'params'", "int")),
    "params holds a tensor": (_group("params", [COMPLEX] * 4), ("group 0", "'params'")),
    "params twice": (_group("params", [0, 1, 1, 2]), ("group 0", "parameter 1", "once")),
    "names are numbers": (_group("param_names", [1, 2, 3, 4]), ("group 0", "'param_names'")),
    "too few names": (_group("param_names", ["a"]), ("group 0", "1 names", "4 parameters")),
    "step missing": (lambda saved: saved["state"][0].pop("step"), ("'step'", "parameter 0")),
    "clock missing": (lambda saved: saved["param_groups"][0].pop("clock"), ("group 0", "'clock'", "missing")),
    **{
        f"clock {value!r}": (_group("clock", value), ("group 0", "'clock'", repr(value)))
        for value in ("3", None, float("nan"), float("inf"), -1, 2.5, True, 1j, [3])
    },
    **{
        f"step {value!r}": (_entry("step", value), ("'step'", "parameter 0"))
        for value in ("3", None, float("nan"), float("inf"), -1, 2.5, True, 1j, [3], torch.tensor(1j), torch.ones(2))
    },
    "a complex slot": (_entry("ema.m", COMPLEX), ("'ema.m'", "parameter 0", "complex64", "float32")),
    "a sparse slot": (_entry("ema.m", SPARSE), ("'ema.m'", "parameter 0", "sparse")),
    "a slot on meta": (_entry("ema.m", META), ("'ema.m'", "parameter 0", "meta")),
    "a quantised slot": (_quantised, ("'ema.m'", "parameter 0", "quantised")),
    "a slot of whole numbers": (_entry("ema.m", torch.zeros(4, 3).long()), ("'ema.m'", "parameter 0", "int64")),
    "a slot that is None": (_entry("ema.m", None), ("'ema.m'", "parameter 0", "NoneType")),
    **{
        f"{key} {value!r}": (_group(key, value), ("group 0", "AdamW", key))
        for key, values in {
            "lr": ("0.1", None, 1j, 10**400, 1e308, True, [0.1], float("nan"), torch.ones(2)),
            "betas": (0.9, (0.9,), None, ("a", "b"), (0.9, 1.5)),
            "amsgrad": ("yes", None, 1),
            "maximize": ("yes", None, 0),
            "foreach": ("yes",),
            "differentiable": (True,),
            "initial_lr": ("0.1", -1.0, float("nan")),
            "lr_scale": ("half", -1.0),
        }.items()
        for value in values
    },
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.filterwarnings("ignore")
def test_it_is_refused_by_name_and_nothing_changes(name):
    damage, words = DAMAGES[name]
    optimizer, other = gradwright.AdamW(model().parameters(), lr=0.1), gradwright.AdamW(model().parameters())
    train(optimizer, 2)
    train(other, 3)
    saved = copy.deepcopy(other.state_dict())
    damage(saved)
    before = snapshot(optimizer)
    with pytest.raises(ValueError, match="state_dict") as refusal:
        optimizer.load_state_dict(saved)
    assert not [word for word in words if word not in str(refusal.value)], refusal.value
    assert not changes(before, snapshot(optimizer))
    train(optimizer)


@pytest.mark.parametrize("given", [None, [], 3, "file.pt", torch.ones(2)], ids=lambda given: type(given).__name__)
def test_what_is_no_dict_is_refused(given):
    with pytest.raises(ValueError, match=r"state_dict is .*; give what the state_dict\(\) of an optimizer returned"):
        gradwright.AdamW(model().parameters()).load_state_dict(given)


def test_hyper_parameters_that_the_tensors_do_not_allow_are_refused():
    saved = gradwright.Muon([leaf(4, 3)]).state_dict()
    saved["param_groups"][0]["split"] = 3
    optimizer = gradwright.Muon([leaf(4, 3)])
    with pytest.raises(ValueError, match=r"state_dict group 0: .*parameter 0.*split=3"):
        optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["split"] == 1


def test_a_shared_value_that_differs_is_refused():
    first = gradwright.AdaLo([leaf(seed=s) for s in (1, 2, 3)])
    train(first, 3)
    saved = copy.deepcopy(first.state_dict())
    saved["state"][1]["loss_scale"] = saved["state"][1]["loss_scale"] + 1
    second = gradwright.AdaLo([leaf(seed=s) for s in (1, 2, 3)])
    before = snapshot(second)
    with pytest.raises(ValueError, match="'loss_scale' is shared by all parameters, and that of parameter 1"):
        second.load_state_dict(saved)
    assert not changes(before, snapshot(second))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_group("novelty", 3), "group 0 has 'novelty'=3, which this version of AdamW does not know; it is left out"),
        (_entry("novelty", torch.ones(2)), "holds 'novelty' of parameter 0, which this recipe does not keep"),
        (lambda saved: saved["state"].update({7: {}}), "holds state for 7, which none of its groups lists"),
    ],
)
def test_what_a_later_version_may_have_added_is_a_warning(damage, words):
    optimizer, other = gradwright.AdamW(model().parameters()), gradwright.AdamW(model().parameters())
    train(other, 3)
    saved = copy.deepcopy(other.state_dict())
    damage(saved)
    with pytest.warns(UserWarning, match=words) as heard:
        optimizer.load_state_dict(saved)
    assert heard[0].filename == __file__
    assert not changes({**snapshot(other)}, {**snapshot(optimizer)} | _weights(other))


def _weights(optimizer):
    return {name: value for name, value in snapshot(optimizer).items() if name.startswith("the weights")}


def test_flags_of_torch_in_a_saved_group_are_no_news():
    saved = gradwright.AdamW(model().parameters()).state_dict()
    saved["param_groups"][0].update(foreach=True, fused=None, capturable=True, differentiable=False, swa_lr=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gradwright.AdamW(model().parameters()).load_state_dict(saved)
