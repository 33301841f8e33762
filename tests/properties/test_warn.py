"""Warnings of the package: whose line they point at, and how often they come."""

import inspect
import warnings

import pytest
import torch

from gradwright.core import warn


def inside(package: str):
    """A function that warns from within a module of this package, one call deeper than the user's."""
    names = {"__name__": f"{package}.deep.module", "warn": warn}
    code = "def outer(message):\n    inner(message)\ndef inner(message):\n    warn.warn_user(message)\n"
    exec(compile(code, "<inside>", "exec"), names)
    return names["outer"]


@pytest.mark.parametrize("package", ["gradwright", "torch"])
def test_a_warning_points_at_the_first_line_outside(package):
    with pytest.warns(UserWarning, match="look here") as caught:
        inside(package)("look here")
    lines, first = inspect.getsourcelines(test_a_warning_points_at_the_first_line_outside)
    line = first + next(index for index, text in enumerate(lines) if '("look here")' in text)
    assert (caught[0].filename, caught[0].lineno) == (__file__, line)


def test_a_name_that_only_begins_like_the_package_is_the_users():
    with pytest.warns(UserWarning, match="here") as caught:
        inside("gradwright_extras")("here")
    assert caught[0].filename == "<inside>"


def test_frames_of_torch_between_are_passed_through():
    with pytest.warns(UserWarning, match="decorator") as caught:
        torch.no_grad()(inside("gradwright"))("under a decorator")
    assert caught[0].filename == __file__


def test_the_category_is_the_callers():
    with pytest.warns(FutureWarning, match="soon"):
        warn.warn_user("soon", FutureWarning)


def test_once_is_once(monkeypatch):
    monkeypatch.setattr(warn, "_told", set())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for message in ("first", "second", "first"):
            warn.warn_once(message)
    assert [str(each.message) for each in caught] == ["first", "second"]
    assert {each.filename for each in caught} == {__file__}
