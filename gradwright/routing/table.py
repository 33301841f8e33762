"""A plan as aligned text, with the rows of equal blocks folded into one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from math import prod
from typing import TYPE_CHECKING, TypeVar

from gradwright.routing.rules import shown

if TYPE_CHECKING:
    from gradwright.routing.plan import Plan, Row

_INDEX = re.compile(r"(?<![^.])\d+(?![^.])")
_Key = TypeVar("_Key")


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with columns of equal width, two spaces apart.

    >>> aligned([("fc.weight", "10 x 4"), ("b", "10")])
    ['fc.weight  10 x 4', 'b          10']
    """
    wide = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, wide)).rstrip() for row in rows]


def folded(rows: Iterable[tuple[str, _Key]]) -> list[tuple[str, int, _Key]]:
    """Rows of names, where those that differ in block indices only and agree in all else become one.

    Args:
        rows: a dotted name and everything else that is printed of it.

    Returns:
        For each fold, in order of first appearance: the name with its indices as ranges, how many names it
        stands for, and the rest.

    >>> folded((f"blocks.{i}.fc.weight", "matrix") for i in range(12))
    [('blocks.{0..11}.fc.weight', 12, 'matrix')]
    """
    alike: dict[tuple[str, _Key], list[tuple[int, ...]]] = {}
    for name, rest in rows:
        indices = tuple(map(int, _INDEX.findall(name)))
        alike.setdefault((_INDEX.sub("0", name), rest), []).append(indices)
    return [
        (_filled(pattern, axes), prod(map(len, axes)), rest)
        for (pattern, rest), places in alike.items()
        for axes in _boxes(places)
    ]


def _boxes(places: list[tuple[int, ...]]) -> list[list[list[int]]]:
    """The index tuples as products of index sets: one if they fill it, else one for each choice of later indices."""
    axes = [sorted(set(axis)) for axis in zip(*places)]
    if prod(map(len, axes)) == len(places):
        return [axes]
    later: dict[tuple[int, ...], list[int]] = {place[1:]: [] for place in places}
    for place in places:
        later[place[1:]].append(place[0])
    return [[sorted(first), *([index] for index in rest)] for rest, first in later.items()]


def _filled(pattern: str, axes: list[list[int]]) -> str:
    ranges = map(_ranges, axes)
    return _INDEX.sub(lambda _: next(ranges), pattern)


def _ranges(indices: list[int]) -> str:
    runs = []
    for _, run in groupby(enumerate(indices), key=lambda pair: pair[1] - pair[0]):
        members = [index for _, index in run]
        runs.append(f"{members[0]}..{members[-1]}" if len(members) > 2 else ",".join(map(str, members)))
    return runs[0] if runs == [str(indices[0])] else "{" + ",".join(runs) + "}"


def plan_text(plan: Plan) -> str:
    """The plan: its rules with their share of the model, then its parameters."""
    body: list[tuple[str, ...]] = [("parameter", "shape", "roles", "recipe", "knobs", "why")]
    for name, count, rest in folded((row.name, _printed(plan, row)) for row in plan.rows):
        body.append((f"{name} ({count})" if count > 1 else name, *rest))
    no_decay = [f"no decay: {plan.no_decay}"] if plan.no_decay else []
    return "\n".join([*shares(plan), plan.note, *no_decay, "", *aligned(body)])


def shares(plan: Plan) -> list[str]:
    """The rules of a plan with their share of the model, a line each."""
    lines = [(f"{rule.text} -> {rule}", *_size(plan.rows, i)) for i, rule in enumerate(plan.rules)]
    if any(row.rule is None for row in plan.rows):
        lines.append(("frozen: requires_grad is False", *_size(plan.rows, None)))
    return aligned(lines)


def _size(rows: Iterable[Row], rule: int | None) -> tuple[str, str]:
    own = [row for row in rows if row.rule == rule]
    return f"{len(own)} parameter{'s' * (len(own) != 1)}", f"{sum(prod(row.shape) for row in own):,} numbers"


def _printed(plan: Plan, row: Row) -> tuple[str, ...]:
    recipe, knobs = "frozen", ""
    if row.rule is not None:
        rule = plan.rules[row.rule]
        recipe, knobs = rule.recipe, shown(rule.knobs_of(row.decays, row.scale))
    shape = " x ".join(map(str, row.shape)) or "0-d"
    return shape, " ".join(sorted(row.roles)), recipe, knobs, row.reason
