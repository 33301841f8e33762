"""State: there from construction, made anew where it was taken away, with its parameter wherever that goes."""

import copy
import pickle
import subprocess
import sys

import pytest
import torch

import gradwright
from gradwright.contract.training import changes, copies, snapshot
from tests.optimizer.models import leaf, train


def test_state_is_there_from_construction():
    optimizer = gradwright.AdamW([leaf()])
    state = optimizer.state[optimizer.param_groups[0]["params"][0]]
    assert state.keys() == {"step", "ema.m", "precondition.v"}
    assert state["step"] == 0.0


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_state_of_one_parameter_can_be_deleted(index):
    params = [leaf(seed=seed) for seed in range(3)]
    optimizer = gradwright.AdamW(params)
    train(optimizer, 3)
    del optimizer.state[params[index]]
    train(optimizer, 2, first=3)
    steps = [optimizer.state_dict()["state"][i]["step"] for i in range(3)]
    assert steps == [2.0 if i == index else 5.0 for i in range(3)]


def test_weights_loaded_after_construction_are_where_averages_start():
    late = gradwright.ScheduleFreeAdamW([leaf(seed=1)])
    with torch.no_grad():
        late.param_groups[0]["params"][0].copy_(leaf(seed=2))
    early = gradwright.ScheduleFreeAdamW([leaf(seed=2)])
    for optimizer in (early, late):
        train(optimizer, 3)
    assert not changes(snapshot(early), snapshot(late))


def test_a_parameter_may_be_frozen_and_thawed():
    params = [leaf(seed=1), leaf(seed=2)]
    optimizer = gradwright.AdamW(params)
    train(optimizer, 2)
    params[0].requires_grad_(False)
    params[0].grad = None
    before = params[0].detach().clone()
    params[1].grad = torch.ones(3, 4)
    optimizer.step()
    assert torch.equal(params[0], before)
    assert [optimizer.state[param]["step"] for param in params] == [2.0, 3.0]
    params[0].requires_grad_(True)
    train(optimizer)
    assert [optimizer.state[param]["step"] for param in params] == [3.0, 4.0]


def test_no_gradients_at_all_is_a_step_of_the_clock_only():
    optimizer = gradwright.AdamW([leaf()])
    before = snapshot(optimizer)
    optimizer.step()
    assert changes(before, snapshot(optimizer)) == ["clock of group 0"]


def test_data_may_change_type_twice_between_steps():
    params = [leaf(64, 48, seed=1)]
    optimizer = gradwright.Adafactor(params, momentum=0.9)
    for dtype in (torch.float64, torch.bfloat16, torch.float32, torch.bfloat16, torch.float64):
        train(optimizer)
        params[0].grad = None
        params[0].data = params[0].data.to(torch.float64 if dtype != torch.float64 else torch.float32)
        params[0].data = params[0].data.to(dtype)
        train(optimizer)
        assert optimizer.state[params[0]]["ema.m"].dtype == dtype
        assert params[0].isfinite().all()


def test_a_knob_that_changes_the_structure_brings_its_state():
    optimizer = gradwright.SGD([leaf()], lr=0.1)
    train(optimizer, 2)
    optimizer.param_groups[0]["momentum"] = 0.9
    train(optimizer, 2, first=2)
    assert "heavy_ball.m" in optimizer.state[optimizer.param_groups[0]["params"][0]]


def test_state_of_a_structure_that_is_gone_does_not_block_saving():
    optimizer = gradwright.SGD([leaf()], lr=0.1, momentum=0.9)
    train(optimizer, 2)
    optimizer.param_groups[0]["momentum"] = None
    train(optimizer, 2, first=2)
    other = gradwright.SGD(copies(optimizer.param_groups[0]["params"]), lr=0.1)
    other.load_state_dict(optimizer.state_dict())
    train(optimizer, 2, first=4)
    train(other, 2, first=4)
    assert torch.equal(optimizer.param_groups[0]["params"][0], other.param_groups[0]["params"][0])


def test_repr_shows_groups_and_hyper_parameters():
    text = repr(gradwright.AdamW([leaf(), leaf(5)], lr=0.25))
    for word in ("AdamW", "2 tensors", "17 numbers", "lr: 0.25", "weight_decay: 0.01"):
        assert word in text


def test_importing_the_library_imports_no_extra():
    extras = ["sklearn", "matplotlib", "rich", "typer", "jinja2", "scipy", "pandas", "tensorboard"]
    code = f"import sys, gradwright; print([name for name in {extras} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_importing_the_library_imports_no_workshop():
    code = "import sys, gradwright; print([m for m in sys.modules if m.startswith('gradwright.')])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for part in ("study", "contract", "cli"):
        assert f"gradwright.{part}" not in answer.stdout


class Patient(gradwright.AdamW):
    """A subclass as users write them."""


def test_a_subclass_is_a_recipe_and_survives_copies():
    optimizer = Patient([leaf()], lr=0.1)
    train(optimizer, 2)
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert type(other) is Patient
        assert not changes(snapshot(optimizer), snapshot(other))


def test_a_state_tensor_may_be_replaced():
    replaced, written = gradwright.AdamW([leaf()]), gradwright.AdamW([leaf()])
    for optimizer in (replaced, written):
        train(optimizer, 2)
    state = replaced.state[replaced.param_groups[0]["params"][0]]
    state["ema.m"] = torch.zeros_like(state["ema.m"])
    written.state[written.param_groups[0]["params"][0]]["ema.m"].zero_()
    for optimizer in (replaced, written):
        train(optimizer, 2, first=2)
    assert not changes(snapshot(replaced), snapshot(written))
