"""What the tests of compiled code share: a cache of their own, compilers that misbehave, and files of other people."""

import os
import tempfile
import warnings

import pytest

from gradwright.core import warn
from gradwright.native import build, cache, compiler, tensors

SOMEBODY = 12345
SOURCE = 'extern "C" int answer() {{ return {}; }}\n'

as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file to somebody else"
)


@pytest.fixture
def fresh(monkeypatch):
    """Nothing loaded, nothing swept, nothing said, no compiler known yet; call it to forget all that again."""

    def forget():
        monkeypatch.setattr(build, "_loaded", {})
        monkeypatch.setattr(cache, "_swept", set())
        monkeypatch.setattr(warn, "_told", set())
        build.compiler.cache_clear()

    forget()
    monkeypatch.setattr(compiler, "_gave_up", [])
    yield forget
    build.compiler.cache_clear()


@pytest.fixture
def folder(tmp_path, fresh, monkeypatch):
    """The cache folder of this test, which is not there yet, with a folder of temporary files beside it."""
    (tmp_path / "temporary").mkdir(mode=0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("GRADWRIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def substitute(folder):
    """Where kernels are kept if not in ``folder``."""
    return cache.temporary_folder()


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Point CXX at a shell script; ``{real}`` in it is the compiler there is."""
    real, _ = build.compiler()
    tensors.native()  # kept for the whole process, so not to be had from the script

    def made(script):
        path = tmp_path / "fake-c++"
        path.write_bytes(b"#!/bin/sh\n" + script.replace("{real}", real).encode("latin-1"))
        path.chmod(0o755)
        monkeypatch.setenv("CXX", str(path))
        build.compiler.cache_clear()
        return path

    return made


@pytest.fixture
def warned():
    """The warnings of a test, as text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield _Messages(caught)


class _Messages:
    def __init__(self, caught):
        self._caught = caught

    def __call__(self):
        return [str(one.message) for one in self._caught]


def answer(number):
    """What a compiled function answers."""
    return build.load(SOURCE.format(number)).answer()


def kernels(folder):
    """The kernels in a folder."""
    return sorted(folder.rglob("*.so"))
