"""Every hyper-parameter does something: a setting that nothing reads is ignored in silence, whoever sets it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from gradwright.contract.asserts import refusal
from gradwright.contract.check import Knobs, RecipeClass, check
from gradwright.contract.training import accepts, noise, step_by
from gradwright.core.selector import parse
from gradwright.recipe.knob import Knob

STEPS = 12
LEAVES = (((4, 6), ""), ((6, 2), ""), ((4, 2), "embedding"), ((2, 2, 2, 2), ""), ((6,), ""), ((3,), "bias"), ((), ""))
"""The shapes and roles of what is trained: matrices that can be cut in two, a table, a convolution, and small ones."""
Weather = Literal["plain", "faint", "broken"]
SELECTORS = ("*", "!*", "matrix", "vector")
WEATHERS: tuple[Weather, ...] = ("plain", "faint", "broken")
"""Kinds of gradients: as they are, a thousandth of that, and with one that is not finite."""
FLOATS = (0.5, 0.9, 0.05, 2.0, 0.0, 30.0, 1e-6, 1e4, 1.01)
PLAIN = 2
"""How many settings have no other hyper-parameter moved but lr."""
COUNTS = (1, 2, 3, 5)
LOUD = 0.5
"""An lr at which even slow methods come far within these steps."""
FAINT = 1e-9
"""A difference that may be rounding."""


@check()
def every_knob_counts(recipe: RecipeClass, knobs: Knobs) -> None:
    """Each hyper-parameter, each number of a tuple too, changes the steps, alone or beside another that is moved."""
    paths = _Paths(recipe)
    settings = _Settings(recipe, knobs, paths)
    idle = []
    for knob in recipe.spec.kinds.values():
        moves = list(_moves(recipe, knob, knobs.get(knob.name, knob.default)))
        assert moves, f"nothing says what {knob.name} may be but {knob.default!r}; annotate it, as with a Literal"
        for place in dict.fromkeys(place for place, _ in moves):
            if _is_idle(paths, settings, knob, place):
                idle.append(place)
    assert not idle, (
        f"{', '.join(idle)} changed no step, whatever it was set to and whatever else was; remove it, or use it"
    )


def _is_idle(paths: _Paths, settings: _Settings, knob: Knob, place: str) -> bool:
    """Whether a hyper-parameter can be moved and no move shows; one whose every other value is refused is no idle one.

    The many settings in which another one is moved are asked for fewer values, and on plain gradients alone.
    """
    taken = False
    for at, setting in enumerate(settings):
        moves = _moves(paths.recipe, knob, setting.get(knob.name, knob.default))
        values = [value for where, value in moves if where == place]
        asked, weathers = (values, WEATHERS) if at < PLAIN else (values[:4], WEATHERS[:1])
        for value in asked:
            if paths.takes({**setting, knob.name: value}):
                taken = True
                if paths.differ(setting, {knob.name: value}, weathers):
                    return False
    return taken


class _Settings:
    """Settings in which a hyper-parameter may show its effect, made as far as they are asked for.

    First as they are, then with a large lr, then with one other moved: a dampening needs a momentum. One that is
    refused alone is moved with a second: some methods need a number that others do not have.
    """

    def __init__(self, recipe: RecipeClass, knobs: Knobs, paths: _Paths) -> None:
        self.recipe, self.knobs, self.paths = recipe, dict(knobs), paths
        self.found: list[dict[str, Any]] = []
        self.coming = self._made()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        at = 0
        while True:
            if at == len(self.found):
                try:
                    self.found.append(next(self.coming))
                except StopIteration:
                    return
            yield self.found[at]
            at += 1

    def _made(self) -> Iterator[dict[str, Any]]:
        loud = {"lr": LOUD} if "lr" in self.recipe.spec.kinds else {}
        yield self.knobs
        yield {**self.knobs, **loud}
        for base in [self.knobs, {}] if self.knobs else [self.knobs]:
            for moved in self._moved(base):
                setting = {**base, **moved}
                if self.paths.takes(setting):
                    yield {**setting, **loud}
                    continue
                for other in self._moved(setting):
                    if self.paths.takes({**setting, **other}):
                        yield {**setting, **other, **loud}
                        break

    def _moved(self, setting: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        for knob in self.recipe.spec.kinds.values():
            if knob.name != "lr":
                for _, value in _moves(self.recipe, knob, setting.get(knob.name, knob.default)):
                    yield {knob.name: value}


def _moves(recipe: RecipeClass, knob: Knob, value: Any) -> Iterator[tuple[str, Any]]:
    """Other values of a hyper-parameter, each beside what it moves: the hyper-parameter, or one number of a tuple."""
    kind = type(value) if not knob.kinds and isinstance(value, (bool, int, float)) else None
    if tuple in knob.kinds and int not in knob.kinds:
        whole = value if value is not None else (0.5,) * (knob.length or 2)
        if value is None:
            yield knob.name, whole
        for at in range(len(whole)):
            for number in FLOATS:
                if number != whole[at]:
                    yield f"{knob.name}[{at}]", (*whole[:at], number, *whole[at + 1 :])
        return
    if knob.choices:
        candidates: tuple[Any, ...] = knob.choices
    elif knob.kinds == {str}:
        candidates = _words(recipe, knob)
    elif bool in knob.kinds or kind is bool:
        candidates = (True, False)
    elif int in knob.kinds or kind is int:
        candidates = COUNTS
    elif float in knob.kinds or kind is float:
        candidates = (*FLOATS, *(-number for number in FLOATS if knob.signed), *((None,) if knob.optional else ()))
    else:
        candidates = ()
    for candidate in candidates:
        if candidate != value:
            yield knob.name, candidate


def _words(recipe: RecipeClass, knob: Knob) -> tuple[str, ...]:
    """The words that a recipe lists when it is given one that it does not know, or selectors where it takes those."""
    said = refusal(lambda: recipe.bind(**{knob.name: "no such word"}), ValueError)
    if found := re.search(r"known are ([^;.]+)", said):
        return tuple(word.strip() for word in found.group(1).split(","))
    try:
        parse(knob.default)
    except (TypeError, ValueError):
        return ()
    return SELECTORS


class _Paths:
    """What a recipe makes of the same gradients under different hyper-parameters, each worked out once."""

    def __init__(self, recipe: RecipeClass) -> None:
        self.recipe = recipe
        self.known: dict[tuple[str, Weather], dict[int, Tensor | None]] = {}

    def takes(self, setting: Mapping[str, Any]) -> bool:
        """Whether the recipe is not refused with these hyper-parameters."""
        try:
            self.recipe.spec.chain(setting)
        except (TypeError, ValueError):
            return False
        return True

    def differ(self, setting: Mapping[str, Any], move: Mapping[str, Any], weathers: Sequence[Weather]) -> bool:
        """Whether a move leads somewhere else on gradients of some of these kinds."""
        for weather in weathers:
            one, other = self.ends(setting, weather), self.ends({**setting, **move}, weather)
            for at in one.keys() & other.keys():
                here, there = one[at], other[at]
                if here is None or there is None:
                    if here is not there:
                        return True
                elif not torch.allclose(here, there, rtol=FAINT, atol=FAINT * FAINT):
                    return True
        return False

    def ends(self, setting: Mapping[str, Any], weather: Weather) -> dict[int, Tensor | None]:
        """Where each leaf is after each step and where it is evaluated, ``None`` if it runs away; without those that
        are refused."""
        key = repr(sorted(setting.items(), key=lambda item: item[0])), weather
        if key not in self.known:
            self.known[key] = self._run(setting, weather) if self.takes(setting) else {}
        return self.known[key]

    def _run(self, setting: Mapping[str, Any], weather: Weather) -> dict[int, Tensor | None]:
        leaves = {at: noise(1000 + at, shape, torch.float64).requires_grad_() for at, (shape, _) in enumerate(LEAVES)}
        leaves = {at: leaf for at, leaf in leaves.items() if accepts(self.recipe, setting, leaf)}
        if not leaves:
            return {}
        groups = [{"params": [leaf], "role": LEAVES[at][1]} for at, leaf in leaves.items()]
        optimizer = self.recipe(groups, engine="eager", **setting)
        places: dict[int, list[Tensor]] = {at: [] for at in leaves}
        for step in range(STEPS):
            step_by(optimizer, partial(_backward, leaves, step, weather))
            for at, leaf in leaves.items():
                places[at].append(leaf.detach().clone())
        with optimizer.evaluating():
            ends = {at: torch.stack([*places[at], leaf.detach()]) for at, leaf in leaves.items()}
        return {at: end if bool(end.isfinite().all()) else None for at, end in ends.items()}


def _backward(leaves: Mapping[int, Tensor], step: int, weather: Weather) -> Tensor:
    for at, leaf in leaves.items():
        leaf.grad = _gradient(leaf.detach(), at, step, weather)
    return torch.tensor(1.0 + 1 / (1 + step), dtype=torch.float64, device="cpu")


def _gradient(weights: Tensor, at: int, step: int, weather: Weather) -> Tensor:
    """The gradient of a noisy bowl; zero at one step, and from the start on in the first row."""
    gradient = weights - 1 + 0.3 * noise(100 * step + at, weights.shape, weights.dtype)
    if step == 3:
        gradient.zero_()
    if step < 6 and gradient.dim():
        gradient[0] = 0.0
    if weather == "faint":
        gradient *= 1e-3
    if weather == "broken" and step == 6:
        gradient.view(-1)[-1] = torch.nan
    return gradient
