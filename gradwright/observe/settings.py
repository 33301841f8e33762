"""What an optimizer's own groups and state say of a step: decay, the second moment and eps, and what is scale-free."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gradwright.core import Part
from gradwright.optimizer.optimizer import Optimizer
from gradwright.transforms import L2, Decay

DECOUPLED = ("AdamW", "NAdamW", "Lion", "Muon", "Lamb", "Sophia", "ScheduleFree", "Prodigy", "Adan", "Shampoo", "SOAP")
"""Beginnings of the names of optimizers whose ``weight_decay`` does not go into the gradient."""

SCALE_FREE = ("Lion", "Muon", "NorMuon", "AdaMuon", "Signum", "Tiger", "MuonH", "SOAP", "Surefoot", "Lars", "NSGD")
"""Names of optimizers whose step does not depend on the size of the gradient, not even from step to step."""

SQUARES = {"exp_avg_sq": True, "square_avg": False, "sum": False}
"""State keys of ``torch.optim`` that hold a second moment, and whether it is debiased by 1 − β₂ᵗ."""


class DecayFactors(NamedTuple):
    """The factors of the weight that a step takes away: beside the gradient, and by way of it."""

    decoupled: float = 0.0
    coupled: float = 0.0


class Second(NamedTuple):
    """A stored second moment v, the factor that debiases it, and the eps that is added to its root."""

    square: Tensor
    factor: float
    eps: float


def number(value: Any) -> float | None:
    """A hyper-parameter as a float; None for what is no number, or a tensor that lies on a device."""
    if isinstance(value, Tensor):
        return float(value) if value.numel() == 1 and value.device.type == "cpu" else None
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def name_of(optimizer: torch.optim.Optimizer, group: dict[str, Any]) -> str:
    """The recipe of a group, or the optimizer's class."""
    return str(group.get("recipe") or type(optimizer).__name__)


class Decays(NamedTuple):
    """What the weight decay of a group takes away: the factors of all its parameters, and those that some have."""

    all: DecayFactors
    chosen: tuple[tuple[Decay, float], ...] = ()

    def of(self, optimizer: Any, param: Tensor) -> DecayFactors:
        """The factors of one parameter."""
        if not self.chosen:
            return self.all
        spec = optimizer.spec_of(param)
        return DecayFactors(sum(taken for part, taken in self.chosen if spec.matches(part.only)), self.all.coupled)


def decays_of(optimizer: torch.optim.Optimizer, group: dict[str, Any]) -> Decays:
    """What weight decay takes from the parameters of a group."""
    lr, decay = number(group.get("lr")) or 0.0, number(group.get("weight_decay")) or 0.0
    if isinstance(optimizer, Optimizer):
        return _from_chain(optimizer.chain_of(group), lr)
    named = type(optimizer).__name__
    apart = group.get("decoupled_weight_decay", named.startswith(DECOUPLED) or named.endswith("W"))
    return Decays(DecayFactors(lr * decay, 0.0) if apart else DecayFactors(0.0, decay))


def _from_chain(chain: Part, lr: float) -> Decays:
    every = tuple(parts(chain))
    coupled = sum(number(part.weight_decay) or 0.0 for part in every if isinstance(part, L2))
    factors = [(part, number(part.weight_decay) or 0.0) for part in every if type(part) is Decay]
    return Decays(DecayFactors(0.0, coupled), tuple((p, each if p.lr_power else each * lr) for p, each in factors))


def parts(part: Part) -> Iterator[Part]:
    """A part and all parts in it."""
    yield part
    for child in part.children().values():
        yield from parts(child)


def second_moment(optimizer: torch.optim.Optimizer, group: dict[str, Any], param: Tensor, steps: int) -> Second | None:
    """The second moment of a parameter, where there is one of its shape with an eps beside it."""
    eps, state = number(group.get("eps")), optimizer.state.get(param, {})
    if not eps:
        return None
    for key, value in state.items():
        if isinstance(value, Tensor) and value.shape == param.shape and (key in SQUARES or key.endswith(".v")):
            return Second(value, _debiasing(group, state, steps) if SQUARES.get(key, True) else 1.0, eps)
    return None


def _debiasing(group: dict[str, Any], state: dict[str, Any], steps: int) -> float:
    betas = group.get("betas", ())
    beta = number(betas[1]) if len(betas) > 1 else None
    taken = number(state.get("step")) or steps
    return 1.0 if beta is None or not taken or not 0 <= beta < 1 else 1 / (1 - beta**taken)


def scale_free(optimizer: str) -> bool:
    """Whether steps of the optimizer of this name do not follow the size of the gradient."""
    return optimizer.startswith(SCALE_FREE)
