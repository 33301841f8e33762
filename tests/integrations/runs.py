"""What the tests of trainers share: a small table to learn, and how weights are compared."""

import pytest
import torch
from torch import nn


def needed(name):
    """A library that is installed for these tests only; they are skipped, with the reason, where it is not."""
    return pytest.importorskip(name, reason=f"{name} is not installed: pip install 'gradwright[integrations]'")


def table(rows=64, seed=0):
    """Inputs of eight numbers and their class of three."""
    torch.manual_seed(seed)
    inputs = torch.randn(rows, 8)
    return inputs, (inputs @ torch.randn(8, 3)).argmax(-1)


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))


def weights(model):
    return {name: param.detach().clone() for name, param in model.named_parameters()}


def same(one, other):
    """Whether two dictionaries of tensors agree bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())
