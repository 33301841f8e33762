"""The words that say what a parameter is: the vocabulary of selectors and of routing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from gradwright.core.spelling import nearest

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "scalar": "One number: 0-d.",
        "vector": "1-d, or acts elementwise: one size above 1 at most in a bare tensor, any shape in a norm layer.",
        "matrix": "Exactly 2-d. The (1, n) or (n, 1) weight of a Linear is one too: structure decides, not size.",
        "convolution": "The kernel of a convolution, 3-d or more.",
        "stack": "Three or more dimensions outside convolutions: batched matrices, such as a mixture's experts.",
        "embedding": "A table: its rows are looked up or added, not multiplied with the input.",
        "table": "An embedding that a module holds as a bare parameter: a position table, learned queries.",
        "head": "The weight of the output layer, or the weight that an output layer shares with an embedding.",
        "bias": "Added to the output of a layer, norm layers included.",
        "gain": "The scale of a norm layer, usually 1 at the start.",
        "norm": "Any parameter of a norm layer: its gain or its bias.",
        "recurrent": "A weight of an LSTM, GRU or RNN, which stores the matrices of its gates as one.",
        "fused": "Several matrices stored as one: the query, key and value weights of an attention layer.",
        "depthwise": "A kernel that mixes no channels: groups == in_channels > 1.",
        "tied": "One tensor that more than one module uses.",
    }
)
"""Each role word with one sentence on what it says."""

ROLES: tuple[str, ...] = tuple(MEANINGS)
"""Every role word that a selector may use."""

FORMS: tuple[str, ...] = ROLES[:5]
"""The words for the form of a tensor; a parameter has exactly one of them."""


def roles_from_shape(shape: Sequence[int]) -> frozenset[str]:
    """What a bare tensor's shape says about it, where no module is at hand to say more.

    Four and five dimensions are taken for the kernel of a convolution, which they are in practice. Three
    could be a 1-d convolution or a batch of matrices, and are called a stack. A module knows better:
    see `gradwright.routing.find_roles`.

    Args:
        shape: the sizes of the tensor.

    Returns:
        One word of `FORMS`.

    >>> sorted(roles_from_shape((768, 3072)))
    ['matrix']
    """
    dimensions = len(shape)
    if dimensions in (4, 5):
        return frozenset({"convolution"})
    return frozenset({("scalar", "vector", "matrix")[dimensions] if dimensions < 3 else "stack"})


def check_role(word: str) -> str:
    """The word itself, if it is a role.

    Raises:
        ValueError: it is none; the message names the nearest roles.

    >>> check_role("gain")
    'gain'
    """
    if word not in MEANINGS:
        raise ValueError(f"unknown role {word!r}: {nearest(word, ROLES, 'known roles are ' + ', '.join(ROLES))}")
    return word
