"""What all tests share: one thread, so that runs are the same on every machine and leave the cores to others; a folder
of compiled kernels; a compiler to ask for; names of tests that do not change."""

import os

import pytest
import torch
from hypothesis import HealthCheck, settings

from gradwright.native import build, tensors

torch.set_num_threads(1)
settings.register_profile(
    "gradwright",
    derandomize=True,  # property tests draw the same examples in every run, and few of them
    max_examples=10,
    database=None,
    deadline=None,  # how fast a machine is at this moment says nothing of the library
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("gradwright")


@pytest.fixture(scope="session", autouse=True)
def kernel_cache(tmp_path_factory):
    """One empty cache folder for the whole session, which parallel workers share."""
    root = tmp_path_factory.getbasetemp()
    folder = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "kernels"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADWRIGHT_CACHE", str(folder))
        tensors.native()  # once, before a test takes the compiler away
        yield folder


@pytest.fixture
def compiler():
    """Skip where there is nothing to compile with."""
    try:
        return build.compiler()
    except build.NoCompiler as why:
        pytest.skip(str(why))


def pytest_make_parametrize_id(val, argname):
    """Bytes are no names: a time within a file's head would give each worker names of its own."""
    return argname if isinstance(val, bytes) else None
