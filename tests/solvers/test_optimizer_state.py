"""What a training solver remembers belongs to parameters: freezing, adding, saving, and what a load refuses."""

import copy
from itertools import pairwise

import pytest
import torch

from gradwright.solvers.optimizers import LBFGS, HessianFree, NewtonCG
from tests.solvers.problems import F64

KINDS = [NewtonCG, LBFGS, HessianFree]
each = pytest.mark.parametrize("kind", KINDS)


class Task:
    """A small net with layers of equal shapes, so that a state in the wrong place would fit."""

    def __init__(self, sizes=(3, 3, 3), seed=0):
        torch.manual_seed(seed)
        layers = [torch.nn.Linear(a, b, dtype=F64) for a, b in pairwise(sizes)]
        self.net = torch.nn.Sequential(*[part for layer in layers for part in (layer, torch.nn.Tanh())])
        self.x = torch.randn(12, sizes[0], dtype=F64)

    def closure(self):
        outputs = self.net(self.x)
        return (outputs - self.x.sum(1, keepdim=True).sin() / 2).square().mean(), outputs

    @property
    def weights(self):
        return [p.detach().clone() for p in self.net.parameters()]


def stepped(kind, steps=2, named=False, **options):
    task = Task()
    opt = kind(task.net.named_parameters() if named else task.net.parameters(), **options)
    for _ in range(steps):
        opt.step(task.closure)
    return task, opt


@each
@pytest.mark.parametrize("index", [0, 1, 2])
def test_parameters_may_be_frozen_and_unfrozen_after_a_step(kind, index):
    task, opt = stepped(kind)
    parameter = list(task.net.parameters())[index]
    parameter.requires_grad_(False)
    held = parameter.detach().clone()
    for _ in range(2):
        assert opt.step(task.closure).accepted
        assert torch.equal(parameter, held)
    parameter.requires_grad_(True)
    assert opt.step(task.closure).accepted
    assert not torch.equal(parameter, held)


@each
def test_the_best_point_goes_back_where_it_was(kind):
    task, opt = stepped(kind)
    best = task.weights
    first, *_ = task.net.parameters()
    first.requires_grad_(False)  # the flat vector now begins with another parameter
    with torch.no_grad():
        for p in task.net.parameters():
            p.add_(1.0)
    value = opt.restore_best()
    for found, weight in zip(task.weights, best):
        assert torch.equal(found, weight)
    assert float(task.closure()[0]) == pytest.approx(value, rel=1e-12)


@each
def test_the_best_point_is_whole_after_a_frozen_parameter_is_trained(kind):
    task = Task()
    first = next(task.net.parameters()).requires_grad_(False)
    opt = kind(task.net.parameters())
    opt.step(task.closure)
    best = task.weights
    first.requires_grad_(True)
    opt.step(task.closure, evaluation=lambda: task.closure()[0] + 10.0)  # never below the best
    opt.restore_best()
    for found, weight in zip(task.weights, best):
        assert torch.equal(found, weight)


@each
def test_groups_may_be_added_later(kind):
    task = Task()
    parameters = list(task.net.parameters())
    opt = kind(parameters[:2])
    opt.step(task.closure)
    before = [p.detach().clone() for p in parameters]
    opt.add_param_group({"params": parameters[2:]})
    opt.step(task.closure)
    assert not any(torch.equal(a, b) for a, b in zip(before, parameters))


@each
def test_the_order_of_groups_is_nothing_to_the_state(kind):
    names = ["0.weight", "2.weight", "0.bias", "2.bias"]

    def run(turn):
        task = Task()
        weights = dict(task.net.named_parameters())
        opt = kind([{"params": [(name, weights[name])]} for name in names])
        for index in range(4):
            if index == 2 and turn == "in place":
                opt.param_groups.reverse()
            if index == 2 and turn == "by loading":
                saved = opt.state_dict()
                opt = kind([{"params": [(name, weights[name])]} for name in reversed(names)])
                opt.load_state_dict(saved)
            opt.step(task.closure)
        return task.weights

    plain = run(None)
    for turn in ("in place", "by loading"):
        for found, weight in zip(run(turn), plain):
            torch.testing.assert_close(found, weight, rtol=1e-10, atol=1e-10)


def test_pairs_of_other_parameters_are_forgotten():
    task, opt = stepped(LBFGS, steps=3)
    assert len(opt.memory["pairs"].memory) == 3
    next(task.net.parameters()).requires_grad_(False)
    opt.step(task.closure)
    assert len(opt.memory["pairs"].memory) == 1


def changed(state, path, value):
    """A copy of a state_dict with one entry replaced."""
    state = copy.deepcopy(state)
    inner = state
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return state


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def refused(opt, state, words):
    before = opt.state_dict()
    with pytest.raises(ValueError, match=words):
        opt.load_state_dict(state)
    assert same(before, opt.state_dict()), "a refused load changed something"


@each
def test_the_state_of_another_model_is_refused(kind):
    _, opt = stepped(kind, steps=3)
    cases = [
        (Task(sizes=(3, 4, 3)), "shape"),
        (Task(sizes=(3, 3, 3, 3)), "groups of"),
        (Task(sizes=(3, 3)), "groups of"),
    ]
    for task, words in cases:
        other = kind(task.net.parameters())
        other.step(task.closure)
        refused(opt, other.state_dict(), words)
    untouched = kind(Task(sizes=(3, 4, 3)).net.parameters())
    refused(opt, untouched.state_dict(), "shape")


@each
def test_names_decide_where_both_sides_have_them(kind):
    task, opt = stepped(kind, named=True)
    other = torch.nn.ModuleDict({"a": torch.nn.Linear(3, 3, dtype=F64), "b": torch.nn.Linear(3, 3, dtype=F64)})
    refused(opt, kind(other.named_parameters()).state_dict(), "other parameters.*'0.bias' is here and was not saved")
    weights = dict(task.net.named_parameters())
    split = kind([{"params": [each]} for each in weights.items()])
    refused(opt, split.state_dict(), "other groups")


@pytest.mark.parametrize(("kind", "other"), [(a, b) for a in KINDS for b in KINDS if a is not b])
def test_the_state_of_another_solver_is_refused(kind, other):
    refused(stepped(kind)[1], stepped(other)[1].state_dict(), f"saved by {other.__name__}")


@each
def test_damaged_states_are_refused(kind):
    _, opt = stepped(kind, steps=3)
    state = opt.state_dict()
    nan = float("nan")
    cases = [
        (("solver",), None, "no solver state"),
        (("solver", "steps"), -1, "steps=-1"),
        (("solver", "best_value"), nan, "best_value=nan"),
        (("solver", "best_value"), float("inf"), "disagree"),
        (("solver", "check"), "no", "check='no'"),
        (("solver", "shapes"), [[3, 3]], "1 shapes for 4"),
        (("state", 0, "best"), torch.zeros(3, dtype=F64), "'best' of parameter 0 has the shape"),
        (("state", 0, "best"), "weights", "'best' of parameter 0 is a str"),
        (("state", 0, "momentum"), torch.zeros(3, 3), "'momentum' of parameter 0"),
        (("param_groups", 0, "lr"), 0.1, "learning rate"),
        (("param_groups",), None, "param_groups"),
    ]
    if kind is NewtonCG:
        cases += [(("solver", "radius"), 0.0, "radius=0.0"), (("solver", "largest"), nan, "largest=nan")]
        cases += [(("param_groups", 0, "scale"), -1.0, "scale=-1.0")]
    if kind is HessianFree:
        cases += [(("solver", "damping"), -1.0, "damping=-1.0")]
        cases += [(("state", 0, "warm"), torch.full((3, 3), nan, dtype=F64), "not finite")]
    if kind is LBFGS:
        cases += [
            (("solver", "pairs", "order"), [0, 0], "order of pairs"),
            (("solver", "pairs", "order"), [0, 99], "order of pairs"),
            (("solver", "pairs", "order"), ["a"], "order of pairs"),
            (("solver", "pairs", "sy"), torch.zeros(2, 2), "'sy' of the pairs"),
            (("solver", "pairs"), None, "not complete"),
            (("state", 0, "s"), torch.zeros(10, 3, dtype=F64), "'s' of parameter 0 has the shape"),
        ]
    for path, value, words in cases:
        refused(opt, changed(state, path, value), words)
    refused(opt, None, "state_dict is None")
    opt.load_state_dict(state)
    assert same(state, opt.state_dict())


def test_a_history_of_another_length_is_refused():
    _, opt = stepped(LBFGS, steps=3)
    refused(LBFGS(Task().net.parameters(), history_size=4), opt.state_dict(), "history_size=10")


@each
def test_what_was_saved_does_not_change_with_later_steps(kind):
    task, opt = stepped(kind)
    saved = opt.state_dict()
    copied = copy.deepcopy(saved)
    opt.step(task.closure)
    assert same(saved, copied)
    opt.load_state_dict(saved)
    opt.step(task.closure)
    assert same(saved, copied)


@each
def test_state_of_what_left_the_groups_is_not_saved(kind):
    task, opt = stepped(kind)
    parameters = list(task.net.parameters())
    opt.param_groups[0]["params"] = parameters[1:]
    assert opt.step(task.closure).accepted
    assert set(opt.state_dict()["state"]) == {0, 1, 2}


@each
def test_hooks_of_saving_and_loading_are_called(kind):
    _, opt = stepped(kind)
    opt.register_state_dict_post_hook(lambda opt, state: {**state, "epoch": 7})
    seen = []
    opt.register_load_state_dict_pre_hook(lambda opt, state: seen.append(state["epoch"]))
    opt.load_state_dict(opt.state_dict())
    assert seen == [7]


@each
def test_a_parameter_of_another_size_is_refused(kind):
    task, opt = stepped(kind)
    task.net[0].bias.data = torch.zeros(4, dtype=F64)
    for use in (lambda: opt.step(task.closure), opt.restore_best):
        with pytest.raises(ValueError, match=r"parameter 1 has the shape \(4,\), but \(3,\) is kept"):
            use()


@each
def test_a_model_may_change_its_precision(kind):
    task, opt = stepped(kind)
    task.net.float()
    task.x = task.x.float()
    assert opt.step(task.closure).accepted
    assert opt.restore_best() == opt.best_value


@each
def test_parameters_that_cannot_be_trained_are_refused(kind):
    good = torch.nn.Parameter(torch.zeros(2, dtype=F64))
    with torch.inference_mode():
        dead = torch.nn.Parameter(torch.zeros(2, dtype=F64))
    cases = [
        (torch.nn.LazyLinear(2).weight, "parameter 1 has no shape yet"),
        (dead, "parameter 1 was made under torch.inference_mode"),
        (torch.nn.Parameter(torch.zeros(2)), "parameter 1 is torch.float32"),
        (torch.nn.Parameter(torch.zeros(2, dtype=torch.complex64)), "parameter 1 is torch.complex64"),
        (good, "entry . of params.* is given twice"),
    ]
    for bad, words in cases:
        with pytest.raises(ValueError, match=words):
            kind([good, bad])
        opt = kind([good])
        with pytest.raises(ValueError, match=words):
            opt.add_param_group({"params": [bad]})
        assert len(opt.param_groups) == 1
    with pytest.raises(TypeError, match=r"model.parameters"):
        kind(torch.nn.Linear(2, 2))
    good.requires_grad_(False)
    with pytest.raises(ValueError, match="unfreeze one"):
        opt.step(lambda: (good * good).sum())


@each
def test_weights_in_the_same_memory_are_refused(kind):
    a, b = torch.nn.Linear(3, 3, dtype=F64), torch.nn.Linear(3, 3, dtype=F64)
    b.weight.data = a.weight.data
    with pytest.raises(ValueError, match="parameter 0 and parameter 2 lie in the same memory"):
        kind([*a.parameters(), *b.parameters()])


@each
def test_a_cleared_state_has_no_best_point(kind):
    task, opt = stepped(kind)
    opt.state.clear()
    with pytest.raises(ValueError, match="before any step"):
        opt.restore_best()
    assert opt.step(task.closure).accepted
    assert opt.restore_best() == pytest.approx(float(task.closure()[0].detach()), rel=1e-12)
    opt.state.clear()
    kind(Task().net.parameters()).load_state_dict(opt.state_dict())


@each
def test_a_group_without_parameters_is_refused(kind):
    _, opt = stepped(kind)
    with pytest.raises(ValueError, match="needs 'params'"):
        opt.add_param_group({})
