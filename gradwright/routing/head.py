"""Which layer of a model is its output layer. The first of these that has an answer gives it:

1. `head=`, which names it;
2. a forward pass on example inputs;
3. `model.get_output_embeddings()`, the convention of Hugging Face models;
4. a linear layer whose weight is also the table of an embedding;
5. the order in which the layers are registered, see `gradwright.routing.order`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from torch import nn

from gradwright.core.spelling import nearest
from gradwright.routing.layers import is_magnitude, like_vector, widths
from gradwright.routing.order import by_order
from gradwright.routing.places import Place, plain, type_name, unwrap

_RECURRENT = (nn.RNNBase, nn.RNNCellBase)


class Head(NamedTuple):
    """The output layers of a model."""

    why: Mapping[int, str]
    """For each weight of an output layer, by `id`: the sentence that says why it is one."""
    note: str
    """What was found, or why nothing was."""


def find_head(
    model: nn.Module,
    places: list[Place],
    head: str | nn.Module | Iterable[str | nn.Module] | None = "auto",
    outputs: Collection[str] | None = None,
) -> Head:
    """The output layers of a model.

    Args:
        model: the model.
        places: its parameters.
        head: `"auto"`, None for a model without one, or a module, a module's name, or several of these.
        outputs: names of the weights that a forward pass showed to make the output; None if none was made.

    Raises:
        ValueError: `head` names no layer of the model that has a weight.

    >>> from gradwright.routing.places import places
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> find_head(model, places(model)).note
    'head: 2.weight'
    """
    root, prefix = unwrap(model)
    if head is None:
        return Head({}, "head: none, as head=None says")
    if not isinstance(head, str) or head != "auto":
        chosen = [head] if isinstance(head, (str, nn.Module)) else list(head)
        modules = [_named(root, prefix, one) for one in chosen]
        return _joined(places, dict.fromkeys(modules, "weight of the {type} that head= names"))
    if outputs is not None:
        seen = [place for place in places if place.name in outputs and not isinstance(place.owner, _RECURRENT)]
        return _noted(
            {id(place.param): "its product was the model's output in the example run" for place in seen}, seen
        )
    exposed = getattr(root, "get_output_embeddings", None)
    if callable(exposed) and isinstance(layer := exposed(), nn.Module):
        return _joined(places, {layer: "weight of the {type} that get_output_embeddings() gives"})
    tables = {id(place.param) for place in places if isinstance(place.owner, (nn.Embedding, nn.EmbeddingBag))}
    tied = [place.owner for place in places if id(place.param) in tables and widths(place.owner) is not None]
    if tied:
        return _joined(places, dict.fromkeys(tied, "table of an embedding and weight of the output {type}"))
    reasons, note = by_order(root)
    return _joined(places, reasons) if reasons else Head({}, f"head: none found; {note}")


def _joined(places: list[Place], reasons: Mapping[nn.Module, str]) -> Head:
    weights = [place for place in places if place.owner in reasons and _is_weight(place)]
    return _noted(
        {id(place.param): reasons[place.owner].format(type=type_name(place.owner)) for place in weights}, weights
    )


def _noted(why: dict[int, str], weights: list[Place]) -> Head:
    return Head(why, f"head: {', '.join(place.name for place in weights)}" if why else "head: none in the example run")


def _is_weight(place: Place) -> bool:
    if is_magnitude(place):
        return False
    return place.attribute == "weight" if widths(place.owner) else not like_vector(place.param)


def _named(root: nn.Module, prefix: str, one: str | nn.Module) -> nn.Module:
    modules = {plain(path): module for path, module in root.named_modules(remove_duplicate=False)}
    if isinstance(one, str):
        path = plain(one.removeprefix(prefix))
        if path not in modules:
            raise ValueError(f"head={one!r} is no module of the model: {nearest(path, modules, 'see named_modules()')}")
        module = modules[path]
    elif isinstance(one, nn.Module):
        module = unwrap(one)[0]
        if module not in modules.values():
            raise ValueError(f"head={type(one).__name__}(...) is not a module of this model")
    else:
        raise TypeError(f"head={one!r}: give a module, its name, several of these, None, or 'auto'")
    # A container stands for the last layer in it; a module of an unknown type for its own weights.
    layers = [inner for inner in module.modules() if widths(inner) is not None]
    if layers:
        return layers[-1]
    if all(like_vector(param) for param in module.parameters(recurse=False)):
        raise ValueError(
            f"head={one!r}: that {type_name(module)} holds no weight; name a linear layer or a convolution"
        )
    return module
