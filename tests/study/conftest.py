import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

from gradwright.study import Metric, Session, Task
from gradwright.study.tasks.seeding import generator

MSE = (Metric("mse", "squared error"),)
X = torch.linspace(-1, 1, 48)[:, None]


def line_task(name="line", steps=12, noise=0.0, metrics=MSE, log=None):
    """A straight line to fit: two weights, a step in microseconds. ``log`` collects the first weights and batches."""

    def start(seed):
        model = nn.Linear(1, 1)
        if log is not None:
            log.append(("weights", seed, model.weight.item(), model.bias.item()))

        def loss(step):
            rows = torch.randint(48, (8,), generator=generator(name, seed, step))
            if log is not None and step == 3:
                log.append(("batch", seed, *rows.tolist()))
            return mse_loss(model(X[rows]), 3 * X[rows] + noise * torch.randn(8, 1))

        return Session(model, loss, lambda: {"mse": mse_loss(model(X), 3 * X).item()})

    return Task(name, "A straight line.", start, metrics, steps, lambda: {"line": "0" * 64})


def sgd(lr=0.1):
    return lambda model: torch.optim.SGD(model.parameters(), lr=lr)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
