"""A comparison judges averaged weights with BatchNorm statistics of their own."""

import contextlib

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import gradwright as gw
from gradwright.study.record.study import FINISHED
from gradwright.study.runs.budget import Budget
from gradwright.study.runs.contenders import contenders
from gradwright.study.runs.run import Training
from gradwright.study.tasks.digits import digits
from gradwright.study.tasks.loaders import from_loaders
from gradwright.study.tasks.task import RECENT, Metric, Session, Task
from gradwright.training import recompute_batch_norm

STEPS = 60


def network():
    return nn.Sequential(
        nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 32), nn.BatchNorm1d(32),
        nn.ReLU(), nn.Linear(32, 10),
    )  # fmt: skip


@pytest.fixture(scope="module")
def data():
    found = digits()
    train = [(found.x[i : i + 64], found.y[i : i + 64]) for i in range(0, 1088, 64)]
    return train, [(found.x_validation, found.y_validation)]


def train(data, optimizer, evaluations=4, steps=STEPS):
    """A run, its model and its optimizer as they were left."""
    models, made = [], []

    def build(model):
        models.append(model)
        made.append(contenders(optimizer)[0].build(model))
        return made[0]

    contender = contenders({"it": build})[0]
    task = from_loaders(network, *data, cross_entropy)
    training = Training(task, contender, 0, Budget(steps=steps), lr=0.01, evaluations=evaluations)
    losses = [tick.loss for tick in training]
    assert training.status == FINISHED, training.reason
    return training.record(), losses, models[0], made[0]


def judged(model, validation):
    model.eval()
    with torch.no_grad():
        ((x, y),) = validation
        return cross_entropy(model(x), y).item()


@pytest.mark.parametrize("optimizer", [gw.averaged(gw.AdamW), "ScheduleFreeAdamW"], ids=["averaged", "schedule-free"])
def test_the_average_is_judged_with_statistics_of_its_own(data, optimizer):
    record, _, model, made = train(data, optimizer)
    with made.evaluating():
        stale = judged(model, data[1])
        recompute_batch_norm(model, [data[0][step % len(data[0])] for step in range(STEPS - RECENT, STEPS)], made)
        fresh = judged(model, data[1])
    assert record.final("validation_loss") == pytest.approx(fresh, rel=1e-5)
    if optimizer != "ScheduleFreeAdamW":  # its average stays close to where it trains
        assert stale > 1.5 * fresh


@pytest.mark.parametrize("optimizer", [gw.averaged(gw.AdamW)], ids=["averaged"])
def test_evaluations_do_not_disturb_training(data, optimizer):
    often, seldom = train(data, optimizer, evaluations=15), train(data, optimizer, evaluations=1)
    assert often[1] == seldom[1]
    for one, other in zip(often[2].state_dict().values(), seldom[2].state_dict().values()):
        assert torch.equal(one, other)
    assert often[0].final("validation_loss") == seldom[0].final("validation_loss")


class Switches(torch.optim.SGD):
    """Judged at half its weights, by ``eval()`` and ``train()``."""

    def eval(self):
        for p in self.param_groups[0]["params"]:
            p.mul_(0.5)

    def train(self):
        with torch.no_grad():
            for p in self.param_groups[0]["params"]:
                p.copy_(torch.ones_like(p))


class Evaluates(Switches):
    """The same by ``evaluating()``."""

    @contextlib.contextmanager
    def evaluating(self):
        self.eval()
        yield
        self.train()


def asked_again(build, steps=30):
    """How often the loss was asked for without gradients, and the scale of what BatchNorm saw then."""
    asked, seen = [], []

    def start(seed):
        model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
        x = torch.linspace(-1, 1, 16)[:, None]
        nn.init.ones_(model[0].weight)
        model[0].weight.requires_grad_(False)

        def loss(step):
            if not torch.is_grad_enabled():
                asked.append(step)
            return ((model(x) - x) ** 2).mean()

        def evaluate():
            seen.append(model[1].running_var.item())
            return {"mse": ((model(x) - x) ** 2).mean().item()}

        return Session(model, loss, evaluate)

    task = Task("norm", "A layer.", start, (Metric("mse", "error"),))
    training = Training(task, contenders({"it": build})[0], 0, Budget(steps=steps), evaluations=1)
    assert list(training)
    return asked, seen


@pytest.mark.parametrize("kind", [Switches, Evaluates])
def test_optimizers_of_others_too(kind):
    asked, seen = asked_again(lambda model: kind(model[0].parameters(), lr=0.0))
    assert asked == list(range(30 - RECENT, 30))
    variance = torch.linspace(-1, 1, 16).var().item()
    assert seen == [1.0, pytest.approx(variance / 4)]  # before the first step nothing is made anew


def test_statistics_that_training_does_not_gather_stay_as_they_are(data):
    class Frozen(nn.Sequential):
        def train(self, mode=True):
            super().train(mode)
            self[1].eval()
            return self

    fixed = []

    def frozen():
        model = Frozen(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 10), nn.BatchNorm1d(10))
        model.register_forward_hook(
            lambda model, inputs, output: fixed.append((model[1].running_mean.any(), model[4].running_mean.any()))
        )
        return model

    task = from_loaders(frozen, *data, cross_entropy)
    training = Training(task, contenders({"it": gw.averaged(gw.AdamW)})[0], 0, Budget(steps=5), evaluations=1)
    assert list(training)
    first, second = zip(*fixed)
    assert not any(first)
    assert any(second)


def test_nothing_is_made_anew_where_training_and_judging_are_one():
    assert asked_again(lambda model: torch.optim.SGD(model.parameters(), lr=0.1))[0] == []
    assert asked_again(contenders("AdamW")[0].build)[0] == []
