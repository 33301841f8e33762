"""What the checks say when something is not so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def close(found: Tensor, expected: Tensor, sentence: str, rtol: float = 1e-9, atol: float = 1e-12) -> None:
    """Assert that two tensors agree to rounding; ``sentence`` is what it means if they do not."""
    torch.testing.assert_close(found, expected, rtol=rtol, atol=atol, msg=lambda text: f"{sentence}\n{text}")


def refusal(call: Callable[[], Any], kind: type[Exception]) -> str:
    """The message with which ``call`` is refused; empty if it is not.

    Raises:
        AssertionError: it fails with an error of another type.
    """
    try:
        call()
    except kind as error:
        return str(error)
    except Exception as error:
        raise AssertionError(f"expected a {kind.__name__}, got a {type(error).__name__}: {error}") from error
    return ""


def refused(call: Callable[[], Any], kind: type[Exception], what: str, *words: str) -> None:
    """Assert that ``call`` is refused by an error of this type, whose message holds all these words and a way out."""
    try:
        message = refusal(call, kind)
    except AssertionError as wrong:
        raise AssertionError(f"{what}: {wrong}") from None
    assert message, f"{what} was taken without a word"
    missing = [word for word in words if word not in message]
    assert not missing, f"the refusal of {what} does not say {missing}: {message}"
    helps = any(word in message for word in ("give", "must"))
    assert helps, f"the refusal of {what} does not say what to do: {message}"
