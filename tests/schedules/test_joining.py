"""Schedules are values, they join, and they drive an optimizer."""

import copy
import io
import pickle

import pytest
import torch

import gradwright as gw
from gradwright.schedules import (
    AmosDecay,
    Constant,
    Cosine,
    InverseSqrt,
    Linear,
    Piecewise,
    Warmup,
    WarmupStableDecay,
    lr_scheduler,
)

SCHEDULES = [
    Constant(0.5),
    Warmup(3),
    Cosine(10, 0.1),
    Linear(7),
    WarmupStableDecay(2, 3, 4, "sqrt"),
    InverseSqrt(5),
    AmosDecay(20, "recursion"),
    Piecewise({3: 1, 9: 0.1}),
    Warmup(3).then(Cosine(8)),
    Warmup(4) * AmosDecay(9),
]
each = pytest.mark.parametrize("schedule", SCHEDULES, ids=str)


@each
def test_a_schedule_is_a_value_without_state(schedule):
    forwards = [schedule(t) for t in range(30)]
    assert [schedule(t) for t in reversed(range(30))] == forwards[::-1]
    for other in (pickle.loads(pickle.dumps(schedule)), copy.deepcopy(schedule)):
        assert other == schedule
        assert hash(other) == hash(schedule)
        assert [other(t) for t in range(30)] == forwards
    with pytest.raises(AttributeError):
        schedule.value = 1


def test_one_after_another():
    joined = Warmup(2).then(Constant(1.0), at=2).then(Linear(4), at=5)
    assert [joined(t) for t in range(11)] == [0.5, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0]
    assert joined.length == 9
    assert Warmup(2).then(Linear(4))(3) == 0.75
    assert Warmup(2).then(Linear(4)).then(Constant(0.2))(6) == 0.2
    assert Warmup(2).then(Constant(1.0), at=2).then(Linear(4), at=5) == joined


def test_a_product():
    both = Warmup(4) * Linear(10) * 0.5
    assert both(1) == pytest.approx(0.5 * 0.9 * 0.5)
    assert (0.5 * Linear(10))(5) == 0.25
    assert both.length == 10


@pytest.mark.parametrize("endless", [AmosDecay(10), InverseSqrt(10), Constant(1.0)])
def test_what_has_no_end_must_be_told_where_the_next_begins(endless):
    with pytest.raises(ValueError, match="at="):
        endless.then(Linear(3))
    assert endless.then(Linear(3), at=5)(8) == 0


def leaf():
    return torch.nn.Parameter(torch.ones(3))


@each
@pytest.mark.parametrize("optimizer", [gw.AdamW, torch.optim.SGD])
def test_the_scheduler_sets_the_lr_of_the_step_to_come(schedule, optimizer):
    used = optimizer([leaf()], lr=0.2)
    scheduler = lr_scheduler(used, schedule)
    for t in range(12):
        assert used.param_groups[0]["lr"] == pytest.approx(0.2 * schedule(t), rel=1e-15)
        used.param_groups[0]["params"][0].grad = torch.ones(3)
        used.step()
        scheduler.step()


def test_each_group_may_have_its_own():
    optimizer = gw.AdamW([{"params": [leaf()], "lr": 1.0}, {"params": [leaf()], "lr": 2.0}])
    lr_scheduler(optimizer, [Warmup(4), Warmup(8)])
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]


@each
def test_a_checkpoint_resumes_and_loads_without_code(schedule):
    def fresh():
        optimizer = gw.SGD([leaf()], lr=0.2)
        return optimizer, lr_scheduler(optimizer, schedule)

    _, scheduler = fresh()
    first = scheduler.optimizer
    for _ in range(5):
        first.step()
        scheduler.step()
    file = io.BytesIO()
    torch.save({"scheduler": scheduler.state_dict(), "optimizer": first.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    second, resumed = fresh()
    second.load_state_dict(saved["optimizer"])
    resumed.load_state_dict(saved["scheduler"])
    for _ in range(5):
        first.step(), scheduler.step()
        second.step(), resumed.step()
        assert first.param_groups[0]["lr"] == second.param_groups[0]["lr"]


def test_wrong_schedules_are_refused_by_name():
    optimizer = gw.SGD([leaf()])
    with pytest.raises(ValueError, match="2 schedules for 1"):
        lr_scheduler(optimizer, [Warmup(1), Warmup(2)])
    with pytest.raises(TypeError, match="function"):
        lr_scheduler(optimizer, [lambda t: 1.0])
