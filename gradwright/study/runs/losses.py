"""From what a user writes to a loss that trains: names with settings, modules, functions."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gradwright.losses import (
    LOSSES,
    GeometricSchedule,
    HarrellDavis,
    HuberMean,
    MedianOfMeans,
    SoftMedian,
    TopMean,
    TrimmedMean,
)
from gradwright.losses.modules import settings_of
from gradwright.losses.table import SHORT
from gradwright.study.runs.criteria import Loss, at
from gradwright.study.tasks.labels import check_label
from gradwright.study.tasks.unknown import unknown

REDUCERS = {kind.__name__: kind for kind in (HarrellDavis, HuberMean, MedianOfMeans, SoftMedian, TopMean, TrimmedMean)}
THE_TASKS_OWN = ("dim", "ignore_index")  # settings that follow from the data

AS_ITS_AUTHORS: dict[str, dict[str, Any]] = {
    "exact": {"standardize": True, "sigma": GeometricSchedule(10.0, 1.0, 1)},
}
"""Settings that a loss is run with unless others are given, where its own defaults are not a way to train."""
NORMALIZED = ("exact",)
"""Losses whose gradient changes scale as they are annealed: it is divided by a running mean of its norm."""


def losses(asked: Any) -> tuple[Loss, ...]:
    """One contender for each loss.

    Args:
        asked: a list, a comma separated string, or a dictionary from the labels to be shown. An item is the name of a
            loss in :data:`gradwright.losses.LOSSES` ("tailr"; "ce" for cross-entropy), a name with settings
            ("gce(q=0.3)"), a module, or any function of (logits, target). A setting ``a:b`` moves from a to b over the
            run in equal ratios; ``weight=balanced`` counts every class alike; ``reduction`` may be a reducer,
            "ce(reduction=TrimmedMean(0, 0.1))".

    Raises:
        ValueError: an unknown name (with the nearest), a setting out of its range, a loss that needs more than logits
            and one label a sample, an empty list, or the same label twice.
        TypeError: an item that is none of these.

    >>> [loss.name for loss in losses("ce, gce(q=0.3), exact(sigma=10:1, nodes=32)")]
    ['ce', 'gce(q=0.3)', 'exact(sigma=10:1,nodes=32)']
    """
    if isinstance(asked, str):
        asked = split(asked)
    if isinstance(asked, Mapping):
        found = [_loss(item, check_label("a loss", str(label))) for label, item in asked.items()]
    elif isinstance(asked, Iterable) and not isinstance(asked, nn.Module):
        found = [_loss(item) for item in asked]
    else:
        found = [_loss(asked)]
    if not found:
        raise ValueError("losses is empty: name at least one, such as ce (cross-entropy)")
    for loss in found:
        check_label("a loss", loss.name)
    labels = [loss.name for loss in found]
    if twice := next((label for label in labels if labels.count(label) > 1), None):
        raise ValueError(f"losses names {twice!r} twice: give a dictionary of labels, or name it once")
    return tuple(found)


def split(text: str) -> list[str]:
    """The parts between commas that no bracket holds.

    >>> split("ce, sce(alpha=1, beta=2)")
    ['ce', 'sce(alpha=1, beta=2)']
    """
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def _loss(item: Any, label: str | None = None) -> Loss:
    if isinstance(item, str):
        return _written(item, label)
    if isinstance(item, nn.Module) or (callable(item) and not isinstance(item, type)):
        name = repr(item).replace("\n", "") if isinstance(item, nn.Module) else getattr(item, "__name__", "loss")
        return Loss(label or ("loss" if name == "<lambda>" else name), item)
    raise TypeError(
        f"losses holds {item!r}: give a name such as 'gce(q=0.3)', a module such as losses.GCE(0.3), "
        f"or a function of logits and targets"
    )


def _written(text: str, label: str | None) -> Loss:
    word, given = _call(text)
    name = SHORT.get(word, word)
    if name not in LOSSES:
        raise unknown("loss", word, [*SHORT, *LOSSES])
    entry = LOSSES[name]
    if "multilabel" in entry.traits:
        raise ValueError(f"losses holds {word!r}, for samples with several labels; samples here have one label each")
    known = {key: p for key, p in settings_of(entry.function).parameters.items() if key not in THE_TASKS_OWN}
    for key in given:
        if key not in known:
            raise unknown(f"setting of {word}", key, known)
    if needed := [key for key, p in known.items() if p.default is p.empty and key not in given]:
        raise ValueError(
            f"losses holds {word!r}, which needs {needed[0]}: give it as a module from Python, "
            f"losses={{{word!r}: losses.{entry.module.__name__}({needed[0]}=...)}}"
        )
    settings = {**AS_ITS_AUTHORS.get(name, {}), **{key: _value(key, value) for key, value in given.items()}}
    _try(text, entry.function, settings)
    written = ",".join(f"{key}={value}" for key, value in given.items())
    return Loss(
        label or (f"{word}({written})" if written else word),
        entry.function,
        settings,
        normalize=name in NORMALIZED,
        named=label is None,
        note=_note(word, {key: value for key, value in settings.items() if key not in given}, name in NORMALIZED),
    )


def _call(text: str) -> tuple[str, dict[str, str]]:
    """``name(key=value,...)`` as a name and what is written for each key."""
    found = re.fullmatch(r"([\w-]+)\s*(?:\((.*)\))?", text.strip(), flags=re.S)
    if found is None:
        raise ValueError(f"losses holds {text!r}: write a name, or a name with settings such as gce(q=0.3)")
    given: dict[str, str] = {}
    for part in split(found[2] or ""):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value or not key.isidentifier():
            raise ValueError(f"losses holds {text!r}: settings are written key=value, as in gce(q=0.3)")
        if key in given:
            raise ValueError(f"losses holds {text!r}, which gives {key} twice")
        given[key] = re.sub(r"\s+", "", value)
    return found[1].replace("-", "_"), given


def _value(key: str, text: str) -> Any:
    """A number, a word, true or false, a:b for a schedule, or a reducer."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if called := re.fullmatch(r"(\w+)\((.*)\)", text):
        if called[1] not in REDUCERS:
            raise unknown(key, called[1], REDUCERS)
        words = split(called[2])
        return REDUCERS[called[1]](
            *(_value(key, word) for word in words if "=" not in word),
            **{word.split("=")[0]: _value(key, word.split("=")[1]) for word in words if "=" in word},
        )
    if text in REDUCERS:
        return REDUCERS[text]()
    try:
        if ":" in text:
            start, end = map(float, text.split(":"))
            return GeometricSchedule(start, end, 1)
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        if ":" in text:
            raise ValueError(f"{key}={text} is no schedule: write two positive numbers, as in sigma=10:1") from None
        return text
    return value


def _try(text: str, function: Callable[..., Tensor], settings: Mapping[str, Any]) -> None:
    """Compute it once on nothing in particular, at both ends of its schedules, so that what is wrong shows now."""
    logits, target = torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, 3.0]]), torch.tensor([0, 2])
    if settings.get("weight") == "balanced":
        settings = {**settings, "weight": torch.ones(3)}
    for share in (0.0, 1.0):
        try:
            found = function(logits, target, **at(settings, share))
        except Exception as error:
            raise ValueError(f"losses holds {text!r}: {error}") from error
        if found.dim():
            raise ValueError(f"losses holds {text!r}, which gives {tuple(found.shape)} numbers: a run needs one")


def _note(word: str, settings: Mapping[str, Any], normalize: bool) -> str:
    said = []
    for key, value in settings.items():
        if isinstance(value, GeometricSchedule):
            said.append(f"{key} from {value.start:g} to {value.end:g} over the run")
        else:
            said.append(key if value is True else f"{key}={value}")
    if normalize:
        said.append("gradients divided by a running mean of their norm")
    return f"{word}: {', '.join(said)}" if said else ""
