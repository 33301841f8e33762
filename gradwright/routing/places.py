"""Where the parameters of a model live: names, owners, and the wrappers that change names but not structure."""

from __future__ import annotations

import re
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

_WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
_PREFIX = re.compile(rf"(?:^|(?<=\.))(?:{'|'.join(_WRAPPERS)})(?:\.|$)")


class Place(NamedTuple):
    """One name under which a model holds a parameter."""

    given: str
    """The name as `model.named_parameters()` yields it."""
    name: str
    """The name without the prefixes of wrappers: the same before and after wrapping."""
    owner: nn.Module
    """The module whose structure says what the parameter is."""
    attribute: str
    """What the owner calls the tensor, before any parametrisation."""
    part: str
    """Which piece of a parametrised tensor this is: `original`, `original0`, `g`, ...; empty otherwise."""
    param: Tensor


def unwrap(model: nn.Module) -> tuple[nn.Module, str]:
    """The model inside `torch.compile`, `DataParallel` and their like, and the prefix that they put before names.

    >>> unwrap(nn.DataParallel(nn.Linear(2, 3)))
    (Linear(in_features=2, out_features=3, bias=True), 'module.')
    """
    prefix = ""
    while True:
        parallel = isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel))
        wrapper = next((name for name in _WRAPPERS if name in model._modules), "module" if parallel else "")
        if not wrapper:
            return model, prefix
        model, prefix = model._modules[wrapper], f"{prefix}{wrapper}."  # type: ignore[assignment]


def plain(name: str) -> str:
    """A dotted name without what wrappers of inner modules added to it.

    >>> plain("blocks.0._orig_mod.fc.weight")
    'blocks.0.fc.weight'
    """
    return _PREFIX.sub("", name).rstrip(".")


def type_name(module: nn.Module) -> str:
    """The name of a module's type, seen through parametrisation, sharding and torch's private subclasses.

    >>> type_name(nn.MultiheadAttention(4, 2).out_proj)
    'Linear'
    """
    kind = parametrize.type_before_parametrizations(module)
    while any(base.__name__ == "FSDPModule" for base in kind.__bases__):
        kind = kind.__bases__[-1]
    for base in kind.__mro__:
        if not base.__module__.startswith("torch.nn.modules") or hasattr(nn, base.__name__):
            return base.__name__
    return kind.__name__


def places(model: nn.Module) -> list[Place]:
    """Every name of every parameter, shared ones under all their names, in registration order.

    Raises:
        ValueError: a parameter of a lazy module has no shape yet.

    >>> [place.name for place in places(nn.Linear(2, 3))]
    ['weight', 'bias']
    """
    root, prefix = unwrap(model)
    modules = dict(root.named_modules(remove_duplicate=False))
    found = []
    for full, param in root.named_parameters(remove_duplicate=False):
        if torch.nn.parameter.is_lazy(param):
            raise ValueError(
                f"parameter {prefix + full!r} of a lazy module has no shape yet: "
                "run the model once on a batch before routing, or give example_inputs"
            )
        path, _, attribute = full.rpartition(".")
        part = ""
        if isinstance(modules[path], parametrize.ParametrizationList):
            part, (path, _, attribute) = attribute, path.rpartition(".")
            path = path.removesuffix("parametrizations").removesuffix(".")
        while path and isinstance(modules[path], (nn.ParameterList, nn.ParameterDict)):
            path = path.rpartition(".")[0]
        if not part:
            attribute, part = _hooked(modules[path], attribute)
        found.append(Place(prefix + full, plain(full), modules[path], attribute, part, param))
    return found


def _hooked(owner: nn.Module, attribute: str) -> tuple[str, str]:
    # torch's older weight_norm and spectral_norm and its pruning store weight_g, weight_v or weight_orig,
    # and leave a hook that knows the name `weight`.
    for hook in owner._forward_pre_hooks.values():
        tensor = getattr(hook, "name", None) or getattr(hook, "_tensor_name", None)
        if isinstance(tensor, str) and attribute in (f"{tensor}_g", f"{tensor}_v", f"{tensor}_orig"):
            return tensor, attribute.removeprefix(f"{tensor}_")
    return attribute, ""
