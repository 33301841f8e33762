"""Which engine runs, and what happens where there is no compiler."""

import warnings

import pytest
import torch

from gradwright import AdamW
from gradwright.core import warn
from gradwright.native import build
from tests.engine.parts import Does, recipe_of


@pytest.fixture
def no_compiler(monkeypatch):
    """A machine without one."""
    build.compiler.cache_clear()
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(warn, "_told", set())
    monkeypatch.delenv("GRADWRIGHT_ENGINE", raising=False)
    yield
    build.compiler.cache_clear()


@pytest.fixture
def broken_compiler(tmp_path, monkeypatch):
    """One that says its version and then fails."""
    script = tmp_path / "c++"
    script.write_text('#!/bin/sh\n[ "$1" = --version ] && echo broken 1.0 && exit 0\necho cannot >&2\nexit 1\n')
    script.chmod(0o755)
    build.compiler.cache_clear()
    monkeypatch.setenv("CXX", str(script))
    monkeypatch.setattr(warn, "_told", set())
    monkeypatch.delenv("GRADWRIGHT_ENGINE", raising=False)
    yield script
    build.compiler.cache_clear()


def trained(engine="auto", steps=3, recipe=AdamW):
    param = torch.ones(4, 3, requires_grad=True)
    optimizer = recipe([param], lr=0.1, engine=engine)
    for _ in range(steps):
        param.grad = torch.full((4, 3), 0.5)
        optimizer.step()
    return param.detach(), optimizer


def is_fused(optimizer):
    return any(dispatch.batches for dispatch in optimizer._dispatcher().groups.values())


def test_without_a_compiler_one_warning_and_plain_torch(no_compiler):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found, optimizer = trained()
        trained()
    assert len([w for w in caught if "compiler" in str(w.message)]) == 1
    assert "g++" in str(caught[0].message)
    assert not is_fused(optimizer)
    assert torch.equal(found, trained("eager")[0])


def test_without_a_compiler_eager_is_silent(no_compiler):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained("eager")


def test_without_a_compiler_cpp_is_refused_before_anything_changes(no_compiler):
    param = torch.ones(3, requires_grad=True)
    optimizer = AdamW([param], engine="cpp")
    param.grad = torch.ones(3)
    with pytest.raises(build.NoCompiler, match="install"):
        optimizer.step()
    assert torch.equal(param.detach(), torch.ones(3))
    assert optimizer.state[param]["step"] == 0


def test_a_compiler_that_fails_is_no_compiler(broken_compiler):
    # a recipe that no other test has, so that there is no kernel yet
    with recipe_of(Does(lambda u, state, ctx: (u * 1.23456789, state))) as recipe:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found, _ = trained(recipe=recipe)
        assert len([w for w in caught if "compile" in str(w.message)]) == 1
        assert torch.equal(found, trained("eager", recipe=recipe)[0])
        with pytest.raises(build.NoCompiler, match="cannot"):
            trained("cpp", recipe=recipe)


@pytest.mark.usefixtures("compiler")
def test_the_environment_decides_for_auto_alone(monkeypatch):
    monkeypatch.setenv("GRADWRIGHT_ENGINE", "eager")
    assert not is_fused(trained()[1])
    assert is_fused(trained("cpp")[1])
    monkeypatch.setenv("GRADWRIGHT_ENGINE", "cpp")
    assert is_fused(trained()[1])
    assert not is_fused(trained("eager")[1])
    monkeypatch.delenv("GRADWRIGHT_ENGINE")
    assert is_fused(trained()[1])


def test_unknown_engines_are_refused_with_those_there_are(monkeypatch):
    with pytest.raises(ValueError, match=r"engine='fast'.*eager"):
        AdamW([torch.ones(3, requires_grad=True)], engine="fast")
    monkeypatch.setenv("GRADWRIGHT_ENGINE", "fast")
    with pytest.raises(ValueError, match="GRADWRIGHT_ENGINE='fast'"):
        trained()


@pytest.mark.usefixtures("compiler")
def test_another_compiler_by_name(monkeypatch):
    path, _ = build.compiler()
    build.compiler.cache_clear()
    monkeypatch.setenv("CXX", path)
    assert build.compiler()[0] == path
    build.compiler.cache_clear()
    monkeypatch.setenv("CXX", "/nonexistent/c++")
    assert build.compiler()[0] == path
    build.compiler.cache_clear()


@pytest.mark.usefixtures("compiler")
def test_a_compiler_that_fails_at_a_later_branch_is_no_compiler(request):
    def branches(u, state, ctx):
        return (u * 1.3571113 if ctx.step < 3 else u * 2.4681012), state

    with recipe_of(Does(branches)) as recipe:
        _, optimizer = trained(recipe=recipe, steps=2)
        assert is_fused(optimizer)
        request.getfixturevalue("broken_compiler")
        (param,) = optimizer.param_groups[0]["params"]
        with pytest.warns(UserWarning, match="compile"):
            optimizer.step()
        optimizer.step()
        assert torch.equal(param.detach(), trained("eager", recipe=recipe, steps=4)[0])
