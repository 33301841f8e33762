"""What a parameter is that a user-written module holds directly: a weight that multiplies, or a table?

A shape cannot tell `(512, 512)` of an attention from `(512, 512)` of a position table. The order of trust:

1. a forward pass on example inputs, where one was made, shows which it is;
2. one size above 1 at most: a vector, such as a class token or a layer scale;
3. a leading size of 1 broadcasts over the batch: a table, such as a position table (1, T, d);
4. three dimensions or more: a stack of matrices, such as a mixture's experts; four or five a kernel;
5. two dimensions: a matrix if the owner is called `...Linear...` or `...Dense...`, or if the owner holds nothing
   but such parameters (and norm layers) and they fit together, one giving what another takes;
6. else a table. A wrong guess then keeps a matrix from a matrix optimizer, which costs little and is printed;
   the other mistake would orthogonalise a position table.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from torch import Tensor, nn

from gradwright.routing.layers import Found, form, found, is_norm, like_vector
from gradwright.routing.places import Place, type_name

_HELD_FOR = (nn.ParameterList, nn.ParameterDict, nn.utils.parametrize.ParametrizationList)


def of_bare(place: Place, beside: Sequence[Tensor], uses: Collection[str] = ()) -> Found:
    """What a parameter of an unknown module is.

    Args:
        place: the parameter.
        beside: the other parameters that the same module holds directly.
        uses: how a forward pass used it, `"multiplied"` or `"table"`; empty if none was made or it did not tell.

    >>> from gradwright.routing.places import places
    >>> class Tokens(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.positions = nn.Parameter(torch.zeros(1, 197, 64))
    >>> import torch
    >>> sorted(of_bare(places(Tokens())[0], []).roles)
    ['embedding', 'stack', 'table']
    """
    param, kind = place.param, type_name(place.owner)
    word = form(param)
    held = f"{param.ndim}-d parameter of {kind}"
    if word in ("scalar", "vector"):
        return found(word, held if param.ndim < 2 else f"{held}, a vector in all but shape")
    if "table" in uses:
        return found(f"{word} embedding table", f"{held}, which was added or looked up in the example run")
    if "multiplied" in uses:
        return found(word, f"{held}, which multiplied its input in the example run")
    if param.shape[0] == 1:
        return found(f"{word} embedding table", f"{held}: its first size of 1 broadcasts over a batch, as tables do")
    if param.ndim > 2:
        return found(word, f"{held}: by its shape a {'kernel' if word == 'convolution' else 'batch of matrices'}")
    if "Linear" in kind or "Dense" in kind:
        return found(word, f"{held}, a linear layer by its type")
    if not _has_other_layers(place.owner) and any(_fit(param, other) for other in beside):
        return found(word, f"{held}: it fits the other weights there, one giving what another takes")
    return found(
        f"{word} embedding table",
        f"{held}: taken for a table; roles= or example_inputs= can say that it multiplies",
    )


def _has_other_layers(owner: nn.Module) -> bool:
    return any(
        not is_norm(module)
        for module in owner.modules()
        if module is not owner and not isinstance(module, _HELD_FOR)
        if any(param is not None for param in module._parameters.values())
    )


def _fit(param: Tensor, other: Tensor) -> bool:
    # Beside a stack (E, a, b) of experts, (E, b) may be their router or their biases: that is no evidence.
    if other.ndim != 2 or like_vector(other):
        return False
    return param.shape[0] == other.shape[1] or param.shape[1] == other.shape[0]
