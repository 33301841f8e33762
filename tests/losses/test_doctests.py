"""The examples in docstrings run."""

import doctest
import importlib
import pkgutil

import pytest
import torch

import gradwright.calibration
import gradwright.losses

NAMES = [
    module.name
    for package in (gradwright.losses, gradwright.calibration)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
]


@pytest.mark.parametrize("name", NAMES)
def test_examples(name):
    found = doctest.testmod(importlib.import_module(name), extraglobs={"torch": torch, "nn": torch.nn})
    assert found.failed == 0


def test_public_names():
    for package in (gradwright.losses, gradwright.calibration):
        assert all(hasattr(package, name) for name in package.__all__)
        assert all(
            getattr(package, name).__doc__ for name in package.__all__ if name not in ("LOSSES", "PROMISES", "TRAITS")
        )
