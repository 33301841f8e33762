"""A run that was saved, copied or pickled goes on as if nothing had happened, bit for bit."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import torch

from gradwright.contract.check import Knobs, RecipeClass, check
from gradwright.contract.training import Training, changes, snapshot


@check()
def resumes_from_state_dict(recipe: RecipeClass, knobs: Knobs) -> None:
    """Five steps, state_dict, a new optimizer over a copy of the model, five steps: the same bits as ten steps."""
    first = Training(recipe, knobs).step(5)
    second = first.resumed(recipe, knobs)
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    _continue_alike(first, second, "loaded from a state_dict")


@check()
def resumes_from_a_file(recipe: RecipeClass, knobs: Knobs) -> None:
    """The state_dict survives torch.save and torch.load with weights_only=True, bit for bit."""
    first = Training(recipe, knobs).step(5)
    file = io.BytesIO()
    torch.save(first.optimizer.state_dict(), file)
    file.seek(0)
    second = first.resumed(recipe, knobs)
    second.optimizer.load_state_dict(torch.load(file, weights_only=True))
    _continue_alike(first, second, "loaded from a file")


@check()
def loads_over_another_run(recipe: RecipeClass, knobs: Knobs) -> None:
    """A state_dict replaces all that an optimizer in use remembers."""
    first = Training(recipe, knobs).step(5)
    second = first.resumed(recipe, knobs).step(3)
    with torch.no_grad():
        for mine, yours in zip(second.params, first.params):
            mine.copy_(yours)
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    second.time = first.time
    _continue_alike(first, second, "loaded over another run")


@check()
def deep_copies(recipe: RecipeClass, knobs: Knobs) -> None:
    """copy.deepcopy gives an optimizer of the same class that goes on over its own copy of the weights."""
    first = Training(recipe, knobs).step(5)
    _continue_alike(first, copy.deepcopy(first), "deep-copied")


@check()
def pickles(recipe: RecipeClass, knobs: Knobs) -> None:
    """pickle gives back an optimizer of the same class that goes on."""
    first = Training(recipe, knobs).step(5)
    _continue_alike(first, pickle.loads(pickle.dumps(first)), "pickled")


def _continue_alike(first: Training, second: Training, how: str) -> None:
    assert type(second.optimizer) is type(first.optimizer), f"{how}, the class is {type(second.optimizer)}"
    _alike(first, second, how)
    first.step(5)
    second.step(5)
    _alike(first, second, f"{how} and continued for five steps")


def _alike(first: Training, second: Training, how: str) -> None:
    expected: dict[str, Any] = snapshot(first.optimizer)
    if differing := changes(expected, snapshot(second.optimizer)):
        raise AssertionError(f"{how}, these differ from the uninterrupted run: {', '.join(differing)}")
