"""A certificate holds what it promises on 300 hard problems: no bound below the true gap, no success above tol."""

import pytest

from . import promise
from .extended import extended

FAST = [*range(0, 48, 2), 100, 103, 140, 192, 223, 234, 260, 278]


@extended
@pytest.mark.parametrize("number", FAST)
def test_the_promise(number):
    assert promise.broken(number) is None


@extended
@pytest.mark.slow
def test_the_whole_promise():
    found = [promise.broken(number) for number in range(promise.COUNT)]
    assert [words for words in found if words] == []
