"""What the parameters of known layers are: torch's own, their subclasses, and modules built like them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import Tensor, nn

from gradwright.core.roles import roles_from_shape
from gradwright.routing.places import Place, type_name

_CONVOLUTIONS = nn.modules.conv._ConvNd
_NORMS = (nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, nn.modules.batchnorm._NormBase)
_RECURRENT = (nn.RNNBase, nn.RNNCellBase)


class Found(NamedTuple):
    """The roles of a parameter and the sentence that says why."""

    roles: frozenset[str]
    reason: str


class Widths(NamedTuple):
    """How many features a layer takes and gives."""

    takes: int
    gives: int


def found(roles: str, reason: str) -> Found:
    """Roles from a line of words.

    >>> sorted(found("matrix head", "the last Linear").roles)
    ['head', 'matrix']
    """
    return Found(frozenset(roles.split()), reason)


def like_vector(param: Tensor) -> bool:
    """Whether a tensor of any dimension has one size above 1 at most, as class tokens and layer scales do.

    >>> import torch
    >>> like_vector(torch.empty(1, 1, 64))
    True
    """
    return sum(size != 1 for size in param.shape) <= 1


def form(param: Tensor) -> str:
    """The word for the form of a parameter that no known layer owns."""
    if param.ndim > 1 and like_vector(param):
        return "vector"
    return next(iter(roles_from_shape(param.shape)))


def is_norm(module: nn.Module) -> bool:
    """Whether a module is a norm layer: one of torch's, or of a type called `...Norm...` that owns only one or
    two vectors of the same size.

    >>> is_norm(nn.RMSNorm(8)), is_norm(nn.Linear(2, 2))
    (True, False)
    """
    if isinstance(module, _NORMS):
        return True
    own = [param for param in module._parameters.values() if param is not None]
    return (
        "Norm" in type_name(module)
        and 1 <= len(own) <= 2
        and all(like_vector(param) and param.numel() == own[0].numel() for param in own)
        and len(own) == sum(1 for _ in module.parameters())
    )


def widths(module: nn.Module) -> Widths | None:
    """What a linear layer or a convolution takes and gives; None for any other module.

    Linear means `nn.Linear`, `nn.Bilinear`, the `Conv1D` of transformers, or a module whose integers
    `in_features` and `out_features` are the two sizes of its `weight`.

    >>> widths(nn.Conv2d(3, 16, 5))
    Widths(takes=3, gives=16)
    """
    if isinstance(module, _CONVOLUTIONS):
        return Widths(module.in_channels, module.out_channels)
    if isinstance(module, nn.Bilinear):
        return Widths(module.in1_features, module.out_features)
    if isinstance(module, nn.Linear):
        return Widths(module.in_features, module.out_features)
    weight = module._parameters.get("weight")
    if weight is None or weight.ndim != 2:
        return None
    if type_name(module) == "Conv1D" and getattr(module, "nf", None) == weight.shape[1]:
        return Widths(weight.shape[0], weight.shape[1])
    inward, outward = getattr(module, "in_features", None), getattr(module, "out_features", None)
    if isinstance(inward, int) and isinstance(outward, int) and sorted(weight.shape) == sorted((inward, outward)):
        return Widths(inward, outward)
    return None


def takes(module: nn.Module) -> Iterator[int]:
    """The feature widths that a layer takes as its input; nothing for a module that says none.

    >>> list(takes(nn.LayerNorm(8)))
    [8]
    """
    if (own := widths(module)) is not None:
        yield own.takes
    elif is_norm(module):
        yield from {param.numel() for param in module._parameters.values() if param is not None}
    elif isinstance(module, _RECURRENT):
        yield module.input_size
    elif isinstance(module, nn.MultiheadAttention):
        yield from (module.embed_dim, module.kdim, module.vdim)


def of_layer(place: Place) -> Found | None:
    """What a parameter is by the type of its owner; None where the owner is not a known layer.

    >>> from gradwright.routing.places import places
    >>> of_layer(places(nn.Embedding(10, 4))[0]).reason
    'table of Embedding: its rows are looked up'
    """
    owner, attribute, param = place.owner, place.attribute, place.param
    kind = type_name(owner)
    if is_magnitude(place):
        return found("vector", f"magnitude of the {attribute} of {kind}, split off by weight normalisation")
    if is_norm(owner):
        if isinstance(owner, _NORMS) and attribute not in ("weight", "bias"):
            return None
        own = [name for name, value in owner._parameters.items() if value is not None]
        if attribute == "bias" or ("bias" not in own and own[1:] == [attribute]):
            return found("vector norm bias", f"bias of {kind}")
        return found("vector norm gain", f"gain of {kind}")
    if isinstance(owner, nn.MultiheadAttention):
        return _of_attention(attribute, kind)
    if isinstance(owner, _RECURRENT):
        if attribute.startswith("weight"):
            return found("matrix recurrent", f"recurrent weight of {kind}: its gates are stored as one matrix")
        return found("vector bias", f"bias of {kind}") if attribute.startswith("bias") else None
    if _is_embedding(owner) and attribute == "weight":
        return found("matrix embedding", f"table of {kind}: its rows are looked up")
    if widths(owner) is None or attribute not in ("weight", "bias"):
        return None
    if attribute == "bias":
        return found("vector bias", f"bias of {kind}")
    if isinstance(owner, _CONVOLUTIONS):
        if owner.groups == owner.in_channels > 1:
            return found("convolution depthwise", f"kernel of {kind}, one channel at a time")
        return found("convolution", f"kernel of {kind}")
    return found("matrix" if param.ndim == 2 else "stack", f"weight of {kind}")


def _is_embedding(owner: nn.Module) -> bool:
    if isinstance(owner, (nn.Embedding, nn.EmbeddingBag)):
        return True
    sizes = (getattr(owner, "num_embeddings", None), getattr(owner, "embedding_dim", None))
    weight = owner._parameters.get("weight")
    return weight is not None and sizes == tuple(weight.shape)


def is_magnitude(place: Place) -> bool:
    """Whether a parameter is the magnitude that weight normalisation splits off a weight.

    >>> from gradwright.routing.places import places
    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 3))
    >>> {place.name: is_magnitude(place) for place in places(layer) if place.part}
    {'parametrizations.weight.original0': True, 'parametrizations.weight.original1': False}
    """
    if place.part != "original0":
        return place.part == "g"
    pieces: Any = place.owner.parametrizations
    direction = getattr(pieces[place.attribute], "original1", None)
    return direction is not None and like_vector(place.param) and place.param.numel() < direction.numel()


def _of_attention(attribute: str, kind: str) -> Found | None:
    if attribute == "in_proj_weight":
        return found("matrix fused", f"query, key and value weights of {kind}, stored as one matrix")
    if attribute in ("q_proj_weight", "k_proj_weight", "v_proj_weight"):
        return found("matrix", f"{attribute[0]} weight of {kind}")
    if attribute == "in_proj_bias":
        return found("vector bias", f"bias of {kind}")
    return found("vector", f"extra token of {kind}") if attribute in ("bias_k", "bias_v") else None
