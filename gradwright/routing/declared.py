"""What a model itself says of its parameters, by the conventions of timm: what must not decay, and how deep it lies."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from gradwright.core.selector import by_name
from gradwright.routing.places import unwrap

_BLOCK = re.compile(r"(?<![^.])\d+(?=\.)")
_PREVIOUS = 99999
"""The last number of a place that shares the layer before it: timm's mark for a norm after the blocks."""


def never_decaying(model: nn.Module, names: Collection[str]) -> str:
    """A selector of the parameters that ``model.no_weight_decay()`` names; empty where it names none.

    Args:
        model: any module; what it names may be patterns.
        names: of its parameters.

    Raises:
        TypeError: it says no collection of names.
    """
    ask = getattr(unwrap(model)[0], "no_weight_decay", None)
    said = ask() if callable(ask) else ()
    if isinstance(said, str) or not isinstance(said, Collection) or not all(isinstance(one, str) for one in said):
        raise TypeError(f"model.no_weight_decay() returned {said!r}; it must return names of parameters")
    return " | ".join(by_name(name) for name in names if any(fnmatchcase(name, one) for one in said))


def depths(model: nn.Module, names: Sequence[str]) -> dict[str, int]:
    """How deep each parameter lies: layers numbered from 0, those nearest the input first.

    Where the model has timm's ``group_matcher``, it says so. Else a layer is one block of a ``ModuleList`` or
    ``Sequential``, which is what a number in a name means; all that is registered before the first block is one layer
    before it, and all else, a final norm and the head, is one layer after the last.

    >>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    >>> depths(net, ["0.weight", "2.weight"])
    {'0.weight': 0, '2.weight': 1}
    """
    matcher = getattr(unwrap(model)[0], "group_matcher", None)
    found = _places(matcher(coarse=False), names) if callable(matcher) else _blocks(names)
    order: dict[tuple[float, ...], int] = {}
    depth = -1
    for place in sorted(set(found.values())):
        if depth < 0 or place[-1] != _PREVIOUS:
            depth += 1
        order[place] = depth
    return {name: order[place] for name, place in found.items()}


def _places(matcher: Mapping[str, Any], names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Where each name lies, by patterns in the order of the layers; a pattern's groups count blocks within."""
    patterns = list(_patterns(matcher))
    found = {}
    for name in names:
        hits = ((order, pattern.match(name), end) for order, pattern, end in patterns)
        first = next(((order, hit, end) for order, hit, end in hits if hit), None)
        if first is None:
            found[name] = (float("inf"),)  # heads, which the patterns leave out
            continue
        order, hit, end = first
        numbers = [float(group) for group in hit.groups() if group is not None]
        found[name] = (float(order), *numbers, *map(float, end or ()))
    return found


def _patterns(matcher: Mapping[str, Any]) -> Iterator[tuple[int, re.Pattern[str], Sequence[float] | None]]:
    for order, given in enumerate(matcher.values()):
        for pattern in given if isinstance(given, (tuple, list)) else [(given, None)]:
            yield order, re.compile(pattern[0]), pattern[1]


def _blocks(names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Where each name lies, by its first number; lists of blocks follow each other as they are registered."""
    lists: dict[str, int] = {}
    found: dict[str, tuple[float, ...]] = {}
    for name in names:
        block = _BLOCK.search(name)
        if block is not None:
            order = lists.setdefault(name[: block.start()], len(lists))
            found[name] = (float(order), float(block.group()))
        else:
            found[name] = (float("inf"),) if lists else (-1.0,)
    return found
