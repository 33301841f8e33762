"""From what a user writes to something that builds an optimizer for a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from gradwright.study.runs.criteria import Loss
from gradwright.study.runs.precision import HALVES, hold_in
from gradwright.study.tasks.labels import check_label
from gradwright.study.tasks.unknown import unknown

Builder = Callable[..., torch.optim.Optimizer]


@dataclass(frozen=True)
class Contender:
    """One optimizer of a comparison.

    Args:
        name: its label.
        build: a function from a model to the optimizer; that of a recipe takes formats as keywords.
        lr_source: whose learning rate it comes with.
        recipe: the recipe whose learning rate is the main one, where others may help it out.
        named: whether the label alone says all of it.
        loss: what it trains with; None: the task's own loss.
        optimizer: the optimizer's label, where ``name`` says the loss or the precision.
        precision: the type of the model; empty: as the task makes it.
        formats: how a recipe holds its state and its weights, where that is asked for.
    """

    name: str
    build: Builder
    lr_source: str
    recipe: str = ""
    named: bool = False
    loss: Loss | None = None
    optimizer: str = ""
    precision: str = ""
    formats: Mapping[str, str] = field(default_factory=dict)

    def begin(self, model: nn.Module) -> torch.optim.Optimizer:
        """The optimizer of a model, which is held in the contender's precision from here on."""
        if self.precision:
            hold_in(model, self.precision)
        return self.build(model, **self.formats)


def held(
    contenders: Sequence[Contender], precisions: Sequence[str], formats: Mapping[str, str]
) -> tuple[Contender, ...]:
    """Every contender in every precision, labelled by it where there are several.

    Formats are those of models in half precision, beside which others stand as they are; of all, where there are none.

    Raises:
        ValueError: a contender is no recipe, and its state cannot be held in a format.
    """
    foreign = next((each.name for each in contenders if formats and not each.recipe), None)
    if foreign is not None:
        raise ValueError(f"{' and '.join(formats)}: {foreign} is no recipe of gradwright's, which alone hold formats")
    halves = bool(set(HALVES) & set(precisions))
    several = len(precisions) > 1
    found = []
    for each in contenders:
        for precision in precisions or [each.precision]:
            own = dict(formats) if not halves or precision in HALVES else {}
            words = ", ".join([precision, *own.values()])
            found.append(
                replace(
                    each,
                    name=f"{each.name} ({words})" if several else each.name,
                    optimizer=each.optimizer or each.name,
                    precision=precision,
                    formats=own,
                )
            )
    return tuple(found)


def pairs(optimizers: Sequence[Contender], losses: Sequence[Loss]) -> tuple[Contender, ...]:
    """Every optimizer with every loss, labelled by what there are several of."""
    if not losses:
        return tuple(optimizers)

    def label(optimizer: Contender, loss: Loss) -> str:
        if len(losses) == 1:
            return optimizer.name
        return loss.name if len(optimizers) == 1 else f"{optimizer.name} + {loss.name}"

    return tuple(
        replace(
            each,
            name=label(each, loss),
            named=each.named and loss.named,
            loss=loss,
            optimizer=each.name,
        )
        for each in optimizers
        for loss in losses
    )


def contenders(optimizers: Any) -> tuple[Contender, ...]:
    """One contender for each optimizer.

    Args:
        optimizers: a list, a comma separated string, or a dictionary from the labels to be shown. An item is a
            recipe's name ("AdamW"), "torch:" and the name of a class in torch.optim (both in capitals or not), "all"
            (every recipe), a recipe class, a bound recipe, or any function from a model to an optimizer.

    Raises:
        ValueError: an unknown name (with the nearest), an empty list, or the same label twice.
        TypeError: an item that is none of these.
    """
    if isinstance(optimizers, str):
        optimizers = [name.strip() for name in optimizers.split(",") if name.strip()]
    if isinstance(optimizers, Mapping):
        found = [_contender(item, check_label("an optimizer", str(label))) for label, item in optimizers.items()]
    elif isinstance(optimizers, Iterable):
        found = [each for item in optimizers for each in _expand(item)]
    else:
        found = [_contender(optimizers)]
    if not found:
        raise ValueError("optimizers is empty: name at least one, such as AdamW, or 'all' for every recipe")
    labels = [check_label("an optimizer", contender.name) for contender in found]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise ValueError(f"optimizers names {twice!r} twice: give a dictionary of labels, or name it once")
    return tuple(found)


def _expand(item: Any) -> list[Contender]:
    return [_contender(name) for name in sorted(_registry())] if item == "all" else [_contender(item)]


def _contender(item: Any, label: str | None = None) -> Contender:
    if isinstance(item, Contender):
        return item
    if isinstance(item, str) and item.startswith("torch:"):
        kinds = _torch_optimizers()
        name = _in_any_case(item[6:], kinds)
        if name is None:
            raise unknown("optimizer", item, [f"torch:{kind}" for kind in kinds])
        return _torch_contender(kinds[name], label or f"torch:{name}", named=label is None)
    if isinstance(item, str):
        registry = _registry()
        name = _in_any_case(item, registry)
        if name is None:
            raise unknown("optimizer", item, [*sorted(registry), *(f"torch:{kind}" for kind in _torch_optimizers())])
        return _recipe_contender(registry[name], {}, label or name, named=label is None)
    if hasattr(item, "recipe") and hasattr(item, "knobs"):
        knobs = dict(item.knobs)
        shown = ", ".join(f"{key}={value}" for key, value in knobs.items())
        return _recipe_contender(item.recipe, knobs, label or f"{_name(item.recipe)}({shown})")
    if isinstance(item, type) and issubclass(item, torch.optim.Optimizer):
        if item in _registry().values() or hasattr(item, "chain"):
            return _recipe_contender(item, {}, label or _name(item))
        return _torch_contender(item, label or item.__name__)
    if callable(item) and not isinstance(item, torch.optim.Optimizer):
        return Contender(label or _name(item), item, "as your function sets it")
    raise TypeError(
        f"optimizers holds {item!r}: give a name, a recipe, or a function from a model to a torch.optim.Optimizer"
        + (" (an optimizer is bound to one model, and every run has its own)" if _is_optimizer(item) else "")
    )


def _recipe_contender(recipe: type, knobs: dict[str, Any], label: str, named: bool = False) -> Contender:
    def make(model: nn.Module, **formats: str) -> torch.optim.Optimizer:
        from gradwright.routing import build

        return build(recipe, model, **{**knobs, **formats})

    paper = getattr(getattr(recipe, "formula", None), "paper", "").removeprefix("https://")
    default = f"{_name(recipe)}'s default ({paper})" if paper else f"{_name(recipe)}'s default"
    return Contender(label, make, "as you bound it" if "lr" in knobs else default, _name(recipe), named)


def _torch_contender(kind: type[torch.optim.Optimizer], label: str, named: bool = False) -> Contender:
    source = "torch's default" if kind.__module__.startswith("torch.") else f"default of {kind.__module__}"
    return Contender(label, lambda model: kind(model.parameters()), source, named=named)  # type: ignore[call-arg]


def _in_any_case(word: str, known: Iterable[str]) -> str | None:
    """The name that a word is, capitals aside where that leaves one."""
    names = list(known)
    alike = [name for name in names if name.casefold() == word.casefold()]
    return word if word in names else alike[0] if len(alike) == 1 else None


def _torch_optimizers() -> dict[str, type[torch.optim.Optimizer]]:
    kinds = {name: getattr(torch.optim, name) for name in dir(torch.optim)}
    base = torch.optim.Optimizer
    return {
        name: kind
        for name, kind in kinds.items()
        if isinstance(kind, type) and issubclass(kind, base) and kind is not base
    }


def _registry() -> Mapping[str, type[torch.optim.Optimizer]]:
    from gradwright.optimizer.recipe import registry

    return registry


def _name(item: Any) -> str:
    name = getattr(item, "__name__", type(item).__name__)
    return "optimizer" if name == "<lambda>" else name


def _is_optimizer(item: Any) -> bool:
    return isinstance(item, torch.optim.Optimizer)
