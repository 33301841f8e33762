"""What the engine's tests share: a count of what is compiled, and two threads."""

import pytest
import torch

from gradwright.native import build


@pytest.fixture
def compilations(monkeypatch):
    """The sources of all kernels that are compiled, or read from the cache, from here on."""
    found, load = [], build.load

    def watched(source):
        found.append(source)
        return load(source)

    monkeypatch.setattr(build, "load", watched)
    return found


@pytest.fixture
def two_threads():
    """Two threads for the length of a test."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
