"""What a transform may know about a parameter without looking at its values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from gradwright.core.policy import DEFAULT, Policy
from gradwright.core.roles import FORMS, roles_from_shape
from gradwright.core.selector import parse
from gradwright.core.storage import Buffer, Storage

WEIGHTS = "param"
"""What the parameter itself is called among arrays."""


def computing_dtype(dtype: torch.dtype) -> torch.dtype:
    """The type arithmetic runs in: half types are widened to float32 at the door and rounded once at the store."""
    return torch.float64 if dtype == torch.float64 else torch.float32


@dataclass(frozen=True)
class ParamSpec:
    """Shape, type, roles and name of one parameter.

    A complex parameter is seen as the real tensor of its parts, with a last dimension of 2, and ``is_complex`` set.
    Whether it is a vector or a matrix is said by ``own_shape``, which has no such dimension: whoever decides by shape
    asks for that. Roles that do not say the form, such as ``bias`` alone, get it from there too.

    ``policy`` says how its state and its weights are held, and ``index`` is its place among all parameters of the
    optimizer, on which the random bits of stochastic rounding depend and nothing else.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32
    roles: frozenset[str] = field(default_factory=frozenset)
    name: str = ""
    is_complex: bool = False
    policy: Policy = DEFAULT
    index: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if self.roles.isdisjoint(FORMS):
            object.__setattr__(self, "roles", self.roles | roles_from_shape(self.own_shape))

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def own_shape(self) -> tuple[int, ...]:
        """The shape that its user knows: one number for each entry, whether real or complex."""
        return self.shape[:-1] if self.is_complex else self.shape

    @property
    def own_ndim(self) -> int:
        """The dimensions that its user knows: 1 for a vector, 2 for a matrix, whether real or complex."""
        return len(self.own_shape)

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    @property
    def computing_dtype(self) -> torch.dtype:
        return computing_dtype(self.dtype)

    @property
    def weights(self) -> Storage:
        """How the parameter itself is held."""
        return self.policy.of_weights(self.dtype)

    @property
    def weight_arrays(self) -> dict[str, Buffer]:
        """The arrays beside the parameter that hold a part of it, by their names in the state."""
        return {WEIGHTS + one.suffix: one for one in self.weights.buffers(self.shape)[1:]}

    def matches(self, selector: str) -> bool:
        """Whether a selector such as ``"matrix & !embedding"`` picks this parameter."""
        return parse(selector).matches(self.roles, self.name)

    def __str__(self) -> str:
        shape = "x".join(map(str, self.own_shape)) or "0-d"
        return f"{self.name or 'parameter'} ({shape})"
