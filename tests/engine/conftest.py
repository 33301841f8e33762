"""What the engine's tests share: a folder of compiled kernels, a compiler to ask for, a count of what is compiled."""

import os

import pytest
import torch

from gradwright.engine import build


@pytest.fixture(scope="session", autouse=True)
def kernel_cache(tmp_path_factory):
    """One empty cache folder for the whole session, which parallel workers share."""
    root = tmp_path_factory.getbasetemp()
    folder = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "kernels"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADWRIGHT_CACHE", str(folder))
        yield folder


@pytest.fixture
def compiler():
    """Skip where there is nothing to compile with."""
    try:
        return build.compiler()
    except build.NoCompiler as why:
        pytest.skip(str(why))


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
