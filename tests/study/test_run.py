import contextlib
import math

import pytest
import torch

from gradwright.study import Metric
from gradwright.study.record.study import DIVERGED, FAILED, FINISHED, NO_PROGRESS
from gradwright.study.runs.budget import Budget
from gradwright.study.runs.contenders import Contender, contenders
from gradwright.study.runs.run import Training

from .conftest import line_task, sgd


def train(build, task=None, budget=None, **options):
    training = Training(task or line_task(), Contender("it", build, "mine"), 0, budget or Budget(steps=12), **options)
    ticks = list(training)
    return training.record(), ticks


def test_a_run_is_recorded():
    record, ticks = train(sgd())
    assert (record.status, record.reason) == (FINISHED, "")
    assert [point.step for point in record.points] == list(range(13))
    assert record.final("mse") < record.points[0].metrics["mse"]
    assert record.points[0].train_loss == record.points[1].train_loss == ticks[0].loss
    assert ticks[-1].fraction == 1
    assert record.lr == 0.1
    assert 0 <= record.optimizer_share <= 1
    assert record.parameters == 2


def test_the_same_run_twice_is_the_same():
    runs = [train(sgd(), line_task(noise=1.0))[0] for _ in range(2)]
    assert runs[0].curve("mse") == runs[1].curve("mse")


def test_evaluations_are_evenly_spread():
    record, _ = train(sgd(0.01), budget=Budget(steps=100), evaluations=20)
    assert [point.step for point in record.points] == list(range(0, 101, 5))


def test_a_huge_learning_rate_is_marked():
    record, _ = train(sgd(1e6), budget=Budget(steps=60))
    assert record.status == DIVERGED
    assert "became" in record.reason
    assert record.steps < 60


def test_no_progress_is_marked():
    record, _ = train(sgd(0.0))
    assert record.status == NO_PROGRESS
    assert "no better than" in record.reason


def test_a_run_that_becomes_worse_diverges_before_it_overflows():
    record, _ = train(sgd(1.5), budget=Budget(steps=8))
    assert record.status == DIVERGED
    assert "worse than" in record.reason


def test_a_metric_that_the_loss_does_not_serve_is_no_divergence():
    score = line_task(metrics=(Metric("mse", "score", lower_is_better=False),))
    record, _ = train(sgd(), score)
    assert record.status == NO_PROGRESS
    assert "although the training loss fell" in record.reason


def test_a_refusal_is_a_sentence():
    def refuse(model):
        raise ValueError("this optimizer wants\n matrices")

    record, _ = train(refuse)
    assert (record.status, record.reason) == (FAILED, "ValueError: this optimizer wants matrices")
    assert math.isnan(record.final("mse"))


class Averaging(torch.optim.SGD):
    """Judged at weights that fit perfectly, trained at others."""

    @contextlib.contextmanager
    def evaluating(self):
        kept = [p.detach().clone() for p in self.param_groups[0]["params"]]
        with torch.no_grad():
            for p, perfect in zip(self.param_groups[0]["params"], (3.0, 0.0)):
                p.fill_(perfect)
        yield
        with torch.no_grad():
            for p, old in zip(self.param_groups[0]["params"], kept):
                p.copy_(old)


def test_evaluating_weights_are_used():
    # perfect from the start, hence no better at the end than at the start
    record, ticks = train(lambda model: Averaging(model.parameters(), lr=0.01))
    assert record.curve("mse") == [0.0] * 13
    assert ticks[-1].loss > 0.01


def test_state_bytes_count_a_shared_tensor_once():
    class Shared(torch.optim.SGD):
        def __init__(self, params):
            super().__init__(params, lr=0.1)
            clock = torch.zeros((), dtype=torch.float64)
            for p in self.param_groups[0]["params"]:
                self.state[p] = {"m": torch.zeros(1), "shared": clock, "t": 3}

    record, _ = train(lambda model: Shared(model.parameters()))
    assert record.state_bytes_per_parameter == (4 + 4 + 8) / 2
    assert (
        train(contenders("torch:AdamW")[0].build)[0].state_bytes_per_parameter == 12.0
    )  # m, v and a float32 step each


def test_the_loss_and_the_closure_reach_those_that_ask():
    seen = []

    class WithLoss(torch.optim.SGD):
        def step(self, closure=None, *, loss=None):
            seen.append((loss.item(), loss.requires_grad))
            return super().step()

    _, ticks = train(lambda model: WithLoss(model.parameters(), lr=0.1))
    assert seen == [(tick.loss, False) for tick in ticks]
    record, _ = train(lambda model: torch.optim.LBFGS(model.parameters(), lr=0.5))
    assert record.status == FINISHED


def test_schedules_move_the_rate_and_groups_keep_their_proportion():
    rates = []

    class Spy(torch.optim.SGD):
        def step(self, closure=None):
            rates.append([group["lr"] for group in self.param_groups])
            return super().step(closure)

    def build(model):
        return Spy([{"params": [model.weight], "lr": 0.2}, {"params": [model.bias], "lr": 0.1}])

    record, _ = train(build, lr=0.1, schedule="linear", lr_source="asked")
    assert rates[0] == pytest.approx([0.1 * 11.5 / 12, 0.05 * 11.5 / 12])
    assert rates[-1] == pytest.approx([0.1 * 0.5 / 12, 0.05 * 0.5 / 12])
    assert (record.lr, record.lr_source) == (0.1, "asked")
    assert record.group_lrs == {"group 0": 0.1, "group 1": 0.05}


def test_a_budget_of_seconds_ends():
    record, ticks = train(sgd(0.01), budget=Budget(seconds=0.05))
    assert record.status == FINISHED
    assert record.steps == len(ticks) > 0
    assert all(tick.fraction < 1 for tick in ticks[:-1])
    assert ticks[-1].fraction == 1
    assert record.points[-1].step == record.steps
    assert record.points[-1].seconds >= 0.05
