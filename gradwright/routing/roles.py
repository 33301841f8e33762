"""What every parameter of a model is, from the model's structure and never from parameter names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from torch import Tensor, nn

from gradwright.core.roles import FORMS, check_role
from gradwright.core.spelling import nearest
from gradwright.routing.bare import of_bare
from gradwright.routing.head import find_head
from gradwright.routing.layers import Found, form, of_layer
from gradwright.routing.places import Place, places, type_name, unwrap
from gradwright.routing.probe import Sighting, make_lazy, observe


@dataclass(frozen=True)
class Roles:
    """What one parameter is, and why."""

    name: str
    """Its dotted name, without the prefixes that `torch.compile` and its like add."""
    roles: frozenset[str]
    """Its role words, one of them its form: scalar, vector, matrix, convolution or stack."""
    module: str
    """The type name of the module that owns it."""
    reason: str
    """A sentence that says why."""


class Survey(NamedTuple):
    """The roles of a model's parameters, and what was found about its output layer."""

    roles: dict[str, Roles]
    params: dict[str, Tensor]
    note: str


def find_roles(
    model: nn.Module,
    *,
    head: str | nn.Module | Iterable[str | nn.Module] | None = "auto",
    roles: Mapping[str, str] | None = None,
    example_inputs: Any = None,
) -> dict[str, Roles]:
    """The roles of every parameter of a model: of each tensor once, under its first name.

    They follow from module types, shared tensors and the output layer. A parameter of an unknown module
    is judged by its shape and by what stands beside it (see `gradwright.routing.bare`), the output layer by
    several rules (see `gradwright.routing.head`); both are exact where `example_inputs` are given.

    Args:
        model: any module; wrappers such as `torch.compile`'s change names but not roles.
        head: the output layer where the rules miss it: a module, its name, or several of these; None if
            the model has none. A container stands for the last layer in it.
        roles: for parameter names that match a glob, role words in place of those found, such as
            `{"*.positions": "embedding"}`; the first glob that matches counts.
        example_inputs: arguments to run the model on once, without gradients: a tuple of arguments, a dict of
            keyword arguments, or the only argument.

    Returns:
        name -> `Roles`; the keys are those of `model.named_parameters()`.

    Raises:
        ValueError: a lazy parameter has no shape and no `example_inputs` make it; `head` or a glob names nothing;
            a role word is unknown.

    >>> net = nn.Sequential(nn.Linear(4, 8, bias=False), nn.RMSNorm(8), nn.Linear(8, 3, bias=False))
    >>> [" ".join(sorted(found.roles)) for found in find_roles(net).values()]
    ['matrix', 'gain norm vector', 'head matrix']
    """
    return survey(model, head=head, roles=roles, example_inputs=example_inputs).roles


def survey(
    model: nn.Module,
    *,
    head: str | nn.Module | Iterable[str | nn.Module] | None = "auto",
    roles: Mapping[str, str] | None = None,
    example_inputs: Any = None,
) -> Survey:
    """`find_roles` with the parameters themselves and a sentence on the output layer."""
    if example_inputs is not None:
        make_lazy(unwrap(model)[0], example_inputs)
    everywhere: dict[int, list[Place]] = {}
    every = places(model)
    for place in every:
        everywhere.setdefault(id(place.param), []).append(place)
    sighting = Sighting({}, frozenset())
    if example_inputs is not None:
        params = {same[0].name: same[0].param for same in everywhere.values()}
        sighting = observe(unwrap(model)[0], params, example_inputs)
    output = find_head(model, every, head, sighting.outputs if example_inputs is not None else None)
    found = {}
    for key, same in everywhere.items():
        one = _of_tensor(same, every, sighting)
        if key in output.why:
            one = Roles(one.name, one.roles | {"head"}, one.module, output.why[key])
        found[same[0].given] = _tied(one, same)
    given = {same[0].given: same[0].param for same in everywhere.values()}
    return Survey(_overridden(found, given, roles or {}), given, output.note)


def _of_tensor(same: list[Place], every: list[Place], sighting: Sighting) -> Roles:
    first = same[0]
    owners: dict[int, Place] = {}
    for place in same:
        owners.setdefault(id(place.owner), place)
    found = [_of_place(place, every, sighting.uses.get(first.name, frozenset())) for place in owners.values()]
    words = frozenset().union(*(one.roles for one in found))
    if len(words.intersection(FORMS)) > 1:
        words = words - set(FORMS) | found[0].roles.intersection(FORMS)
    return Roles(first.name, words, type_name(first.owner), found[0].reason)


def _of_place(place: Place, every: list[Place], uses: frozenset[str]) -> Found:
    known = of_layer(place)
    if known is not None:
        return known
    beside = [other for other in every if other.owner is place.owner and other.param is not place.param]
    return of_bare(place, [other.param for other in beside if of_layer(other) is None], uses)


def _tied(found: Roles, same: list[Place]) -> Roles:
    if len(same) == 1:
        return found
    if len({id(place.owner) for place in same}) == 1:
        modules = ", ".join(place.name.rpartition(".")[0] for place in same[1:])
        return replace(found, reason=f"{found.reason}, which is also {modules}")
    others = ", ".join(place.name for place in same[1:])
    return replace(found, roles=found.roles | {"tied"}, reason=f"{found.reason}; also {others}")


def _overridden(found: dict[str, Roles], given: Mapping[str, Tensor], globs: Mapping[str, str]) -> dict[str, Roles]:
    for glob, text in globs.items():
        if not isinstance(text, str):
            raise TypeError(f"roles={{{glob!r}: {text!r}}}: write role words as one text, such as 'matrix recurrent'")
    words = {glob: frozenset(check_role(word) for word in text.split()) for glob, text in globs.items()}
    for glob, text in globs.items():
        if not any(_matches(glob, key, one) for key, one in found.items()):
            names = [one.name for one in found.values()]
            raise ValueError(
                f"roles={{{glob!r}: {text!r}}} matches no parameter: {nearest(glob, names, 'see named_parameters()')}"
            )
    result = {}
    for key, one in found.items():
        for glob in [glob for glob in globs if _matches(glob, key, one)][:1]:
            own = words[glob] if words[glob].intersection(FORMS) else words[glob] | {form(given[key])}
            one = replace(one, roles=own, reason=f"as roles={{{glob!r}: {globs[glob]!r}}} says")
        result[key] = one
    return result


def _matches(glob: str, key: str, found: Roles) -> bool:
    return fnmatchcase(found.name, glob) or fnmatchcase(key, glob)
