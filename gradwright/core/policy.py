"""Policy: how much memory state and weights may take. It turns what a slot is into how it is held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from gradwright.core.blockwise import Companded, SquareRoot
from gradwright.core.half_weights import Split24, Split32, Stochastic
from gradwright.core.spelling import nearest
from gradwright.core.storage import Plain, Storage

if TYPE_CHECKING:
    from gradwright.core.slot import Slot
    from gradwright.core.spec import ParamSpec

STATE = ("auto", "float32", "bfloat16", "8bit", "parameter")
WEIGHTS = ("plain", "split24", "split32", "stochastic")
KEYS = ("state", "weights")
"""The keys of a param group that say it."""
HALVES = (torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Policy:
    """How a group's state and weights are held.

    Args:
        state: of what is as large as the parameter; what is smaller costs nothing, and is held in float32 at least.
            ``"auto"``: float32; beside bfloat16 parameters momenta are bfloat16, and what that cannot hold is float32.
            ``"float32"``, ``"bfloat16"``, ``"8bit"``; ``"parameter"``: the parameter's type, as ``torch.optim`` does.
        weights: of half-precision parameters. ``"plain"``: the parameter and nothing else; ``"split24"``: with 8 more
            bits; ``"split32"``: with 16 more, exactly float32; ``"stochastic"``: nothing else, rounded by chance.

    Raises:
        ValueError: there is no such format; names those there are.
    """

    state: str = "auto"
    weights: str = "plain"

    def __post_init__(self) -> None:
        for name, value, known in (("state", self.state, STATE), ("weights", self.weights, WEIGHTS)):
            if value not in known:
                hint = nearest(value, known) if isinstance(value, str) else ""
                raise ValueError(
                    f"{name}={value!r} is unknown; known are {', '.join(known)}; {hint or 'give one of them'}"
                )

    def check(self, spec: ParamSpec) -> None:
        """Refuse a parameter that cannot be held so.

        Raises:
            ValueError: it cannot; says why, and what to do.
        """
        dtype = str(spec.dtype if not spec.is_complex else spec.dtype.to_complex()).removeprefix("torch.")
        asked = self.state in ("bfloat16", "8bit") and (spec.is_complex or spec.dtype == torch.float64)
        if asked or (self.state == "float32" and spec.dtype == torch.float64):
            raise ValueError(
                f"state={self.state!r} cannot hold the state of {spec}, which is {dtype}; give it a group of its own "
                "with state='auto'"
            )
        if self.weights == "plain":
            return
        if spec.is_complex or spec.dtype not in HALVES:
            raise ValueError(
                f"weights={self.weights!r} is for parameters in half precision, and {spec} is {dtype}; convert the "
                "model (model.bfloat16()), or give it a group of its own with weights='plain'"
            )
        if self.weights == "split32" and spec.dtype == torch.float16:
            raise ValueError(
                f"weights='split32' makes bfloat16 weights exactly float32, and {spec} is float16, whose exponents are "
                "fewer; use weights='split24', or model.bfloat16()"
            )

    def of_weights(self, dtype: torch.dtype) -> Storage:
        """How a parameter of a type is held."""
        if self.weights == "plain" or dtype not in HALVES:
            return Plain(dtype)
        if self.weights == "split32":
            return Split32()
        return Split24(dtype) if self.weights == "split24" else Stochastic(dtype)

    def of_slot(self, slot: Slot, spec: ParamSpec) -> Storage:
        """How a slot beside a parameter of ``spec`` is held."""
        if slot.dtype is not None:
            return Plain(slot.dtype)
        if slot.shared:
            return Plain(torch.float64)
        if not slot.full_size:
            return Plain(spec.computing_dtype)
        if self.state == "parameter":
            return Plain(spec.dtype)
        if spec.is_complex or spec.dtype == torch.float64:
            return Plain(spec.dtype)
        if slot.role == "weight":
            return self._of_weight(slot.fixed, spec.dtype)
        return self._of_role(slot.role, spec.dtype)

    def _of_weight(self, fixed: bool, dtype: torch.dtype) -> Storage:
        """Weights that move are never rounded to nearest in half precision, in which they would stand still."""
        if fixed and self.weights in ("plain", "stochastic"):
            return Plain(dtype)  # the parameter as it was, which its own type holds exactly
        if self.weights in ("plain", "split32"):
            return Plain(torch.float32)
        return self.of_weights(dtype)

    def _of_role(self, role: str, dtype: torch.dtype) -> Storage:
        if role == "exact" or self.state == "float32":
            return Plain(torch.float32)
        if self.state == "8bit":
            return Companded() if role == "moment" else SquareRoot()
        if self.state == "bfloat16":
            return Plain(torch.bfloat16) if role == "moment" else Stochastic(torch.bfloat16)
        return Plain(torch.bfloat16 if role == "moment" and dtype == torch.bfloat16 else torch.float32)


DEFAULT = Policy()
