"""The first fit of a kind does not wait for a compiler where it is small, and runs in one way from end to end."""

import numpy as np
import pytest

from gradwright.linear_model import LogisticRegression
from gradwright.linear_model.data import compiled
from gradwright.native import build


@pytest.fixture
def patient(monkeypatch):
    """As users have it; other tests wait for kernels, so that they do not depend on what is kept."""
    monkeypatch.setattr(compiled, "SMALL", 20_000_000)


def text(folder):
    """A program that nobody has compiled."""
    return f'// {folder}\nextern "C" int answer() {{ return 42; }}\n'


def test_a_small_pass_goes_on_while_its_kernel_is_compiled(patient, tmp_path, compiler):
    program = text(tmp_path)
    with compiled.one_fit():
        assert compiled.load(program, 1.0) is None
        compiled._coming[program].result()
        assert compiled.load(program, 1.0) is None, "a fit stays as it began"
        with compiled.one_fit():
            assert compiled.load(program, 1.0) is None
    assert compiled.load(program, 1.0).answer() == 42
    with compiled.one_fit():
        assert compiled.load(program, 1.0).answer() == 42


def test_a_large_pass_waits(patient, tmp_path, compiler):
    program = text(tmp_path)
    assert compiled.load(program, 1.0) is None
    assert compiled.load(program, 1e12).answer() == 42
    other = text(tmp_path / "other")
    with compiled.using("compiled"):
        assert compiled.load(other, 1.0).answer() == 42


def test_a_kernel_that_is_kept_is_taken_at_once(patient, tmp_path, compiler):
    program = text(tmp_path)
    build.load(program)
    assert build.at_hand(program)
    assert compiled.load(program, 1.0).answer() == 42
    assert program not in compiled._coming


def test_a_compiler_that_fails_behind_a_fit_is_told_once(patient, tmp_path, monkeypatch):
    def broken(source):
        raise build.NoCompiler(f"broken for {tmp_path}")

    monkeypatch.setattr(build, "at_hand", lambda source: False)
    monkeypatch.setattr(build, "load", broken)
    program = text(tmp_path)
    assert compiled.load(program, 1.0) is None
    with pytest.warns(UserWarning, match="broken for"):
        compiled.load(program, 1e12)
    assert compiled.load(program, 1e12) is None


def test_the_first_fit_agrees_with_later_ones(patient, monkeypatch):
    asked = []
    monkeypatch.setattr(compiled, "_now", lambda program, work: asked.append(work))
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 40))
    y = (X @ rng.normal(size=(40, 4)) + rng.normal(size=(2000, 4))).argmax(1)
    first = LogisticRegression(tol=1e-10).fit(X, y)
    monkeypatch.undo()
    assert asked, "no pass was worth a kernel"
    later = LogisticRegression(tol=1e-10).fit(X, y)
    np.testing.assert_allclose(first.coef_, later.coef_, atol=1e-6)
