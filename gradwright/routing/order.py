"""The output layer of a model by the order in which its layers are registered.

It is the last linear layer or convolution, unless its output stays inside the model; if it does, the last layer
directly on the model (or at the end of a `Sequential`, or alone in a module there) whose width no other layer takes.

An output stays inside the model where the layer is part of torch's attention or transformer layers, where a layer
registered later (a norm, say) takes exactly its width, or where the layer repeats in sibling blocks and
another layer takes its width.

Beside an output layer, its siblings are output layers too: layers directly on the model that take the same
width, or give the same, and whose own width no other layer takes: policy and value, or mean and variance.

This can fail where layers are registered in another order than they run (the modulation in the last layer of a
diffusion transformer), or where outputs of several layers are joined by concatenation.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from torch import nn

from gradwright.routing.layers import Widths, like_vector, takes, widths
from gradwright.routing.places import plain, type_name

_CLOSED = (nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)
_BLOCK = re.compile(r"(?<![^.])\d+(?=\.)")


class _Layer(NamedTuple):
    order: int
    path: str
    module: nn.Module
    widths: Widths


def by_order(root: nn.Module) -> tuple[dict[nn.Module, str], str]:
    """The output layers, each with the reason in words, and why none was found where that is so.

    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> list(by_order(net)[0].values())
    ["weight of the last {type}: its 3 outputs are the model's output"]
    """
    modules = list(root.named_modules())
    closed = {inner for _, module in modules if isinstance(module, _CLOSED) for inner in module.modules()}
    layers = [
        _Layer(order, plain(path), module, size)
        for order, (path, module) in enumerate(modules)
        if module not in closed and (size := widths(module)) is not None
    ]
    if not layers:
        return {}, "no linear layer or convolution of its own"
    everything = [module for _, module in modules]
    open_ends = [layer for layer in _ends(root, layers) if not _taken(layer, everything)]
    last = layers[-1]
    if inside := _stays_inside(last, layers, everything):
        if not open_ends:
            return {}, f"the output of {last.path or 'the model'}, the last {type_name(last.module)}, {inside}"
        last, why = open_ends[-1], "weight of a {type} directly on the model: no other layer takes its %d outputs"
    else:
        why = "weight of the last {type}: its %d outputs are the model's output"
    found = {last.module: why % last.widths.gives}
    for layer in open_ends:
        if layer.module is not last.module and any(a == b for a, b in zip(layer.widths, last.widths)):
            found[layer.module] = (
                f"weight of a {{type}} beside the output layer: nothing takes its {layer.widths.gives} outputs"
            )
    return found, ""


def _stays_inside(last: _Layer, layers: list[_Layer], everything: list[nn.Module]) -> str:
    for later in everything[last.order + 1 :]:
        if last.widths.gives in takes(later):
            return f"is taken by a later {type_name(later)}"
    twins = [layer for layer in layers if layer.path != last.path and layer.widths == last.widths]
    if _taken(last, everything) and any(_pattern(twin.path) & _pattern(last.path) for twin in twins):
        return "stays in a block that repeats"
    return ""


def _pattern(path: str) -> set[str]:
    # One pattern for each block index in the path, so that twins differ in exactly one of them.
    return {path[: found.start()] + "*" + path[found.end() :] for found in _BLOCK.finditer(path)}


def _taken(layer: _Layer, everything: list[nn.Module]) -> bool:
    gives = layer.widths.gives
    flattens = isinstance(layer.module, nn.modules.conv._ConvNd)
    for module in everything:
        for width in takes(module) if module is not layer.module else ():
            # A width is also taken in parts (query, key and value), and a convolution's when it is flattened.
            parts = gives // width if gives % width == 0 else 0
            if (1 <= parts <= 4 and width > 1) or width == gives or (flattens and width % gives == 0):
                return True
    return False


def _ends(root: nn.Module, layers: list[_Layer]) -> list[_Layer]:
    top = root
    while len(inner := [child for child in top.children() if any(True for _ in child.parameters())]) == 1:
        if widths(inner[0]) is not None or top._parameters or isinstance(top, nn.Sequential):
            break
        top = inner[0]
    own = {layer.module for layer in layers}
    ends: set[nn.Module] = set()
    for child in top.children():
        inside = [module for module in child.modules() if module in own]
        matrices = [param for param in child.parameters() if not like_vector(param)]
        if isinstance(child, nn.Sequential):
            ends.update(list(child.children())[-1:])
        elif len(inside) == 1 and len(matrices) <= 1 and not isinstance(top, nn.Sequential):
            ends.update(inside)
    return [layer for layer in layers if layer.module in ends]
