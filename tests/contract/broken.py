"""Recipes that are wrong in one way each, with the check that has to notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch

import gradwright
from gradwright.core import Slot, Total, Transform, chain
from gradwright.core.ops import norm
from gradwright.optimizer.recipe import registry
from gradwright.recipe.registry import specs
from gradwright.transforms import Ema, Scale

Update = Callable[[Any, Any, Any], Any]
CASES: dict[str, tuple[str, str, Callable[..., Any]]] = {}


@dataclass(frozen=True)
class Does(Transform):
    """A part that does what a function says, with one slot if it wants one."""

    what: Update
    remembers: Slot | None = None

    def slots(self, spec: Any) -> Any:
        return {} if self.remembers is None else {"memory": self.remembers}

    def update(self, u: Any, state: Any, ctx: Any) -> Any:
        return self.what(u, state, ctx)


def broken(check: str, traits: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a recipe function as one that ``check`` has to fail."""

    def decorate(build: Callable[..., Any]) -> Callable[..., Any]:
        CASES[build.__name__] = check, traits, build
        return build

    return decorate


@contextmanager
def as_recipe(name: str) -> Iterator[type[gradwright.Recipe[...]]]:
    """The recipe of a case, in the registry for as long as the block lasts."""
    _, traits, build = CASES[name]
    try:
        yield gradwright.recipe(traits=traits)(build)
    finally:
        del registry[name], specs[name]


@broken("has_an_lr")
def CallsItRate(rate=1e-3):
    return chain(Scale(rate))


@broken("descends_on_a_bowl")
def GoesUphill(lr=1e-3):
    return chain(Does(lambda u, state, ctx: (-u, state)), Scale(lr))


@broken("descends_on_a_network")
def StandsStill(lr=1e-3):
    return chain(Does(lambda u, state, ctx: (0 * u, state)), Scale(lr))


@broken("lr_sizes_the_step")
def IgnoresLr(lr=1e-3):
    return chain(Scale(1e-3))


@broken("every_slot_moves")
def KeepsADeadSlot(lr=1e-3):
    return chain(Does(lambda u, state, ctx: (u, state), Slot()), Scale(lr))


@broken("every_slot_moves")
def WritesOneRowOnly(lr=1e-3):
    def update(u, state, ctx):
        return u, {"memory": torch.where(torch.arange(u.numel()).view(u.shape) > 0, state["memory"], u)}

    return chain(Does(update, Slot()), Scale(lr))


@broken("gradients_are_kept")
def WritesTheGradient(lr=1e-3):
    return chain(Does(lambda u, state, ctx: (u.mul_(0.5), state)), Scale(lr))


@broken("updates_are_pure")
def WritesItsState(lr=1e-3):
    return chain(Does(lambda u, state, ctx: (u + state["memory"].lerp_(u, 0.1), state), Slot()), Scale(lr))


@broken("steps_do_not_synchronise")
def LooksAtATensor(lr=1e-3):
    return chain(Does(lambda u, state, ctx: (u / max(1.0, float(norm(u))), state)), Scale(lr))


@broken("zero_gradients_are_harmless")
def DividesByTheNorm(lr=1e-3):
    return chain(Does(lambda u, state, ctx: (u / norm(u), state)), Scale(lr))


@broken("zero_weights_can_leave")
def MovesByTheWeights(lr=1e-3):
    return chain(Does(lambda u, state, ctx: (u * norm(ctx.param), state)), Scale(lr))


@broken("latecomers_start_at_one")
def CountsByTheClock(lr=1e-3):
    return chain(Does(lambda u, state, ctx: (u / ctx.clock, state)), Scale(lr))


@broken("resumes_from_state_dict")
def RemembersElsewhere(lr=1e-3):
    seen: list[Any] = []

    def update(u, state, ctx):
        seen.append(u.shape)
        return u / (1 + len(seen)), state

    return chain(Does(update), Scale(lr))


@broken("single_numbers")
def WantsARow(lr=1e-3):
    return chain(Does(lambda u, state, ctx: (u / u.shape[0], state)), Scale(lr))


@broken("strided_tensors")
def WantsItContiguous(lr=1e-3):
    return chain(Does(lambda u, state, ctx: (u.view(-1).view(u.shape), state)), Scale(lr))


@broken("elementwise", traits="elementwise")
def SumsInSecret(lr=1e-3):
    return chain(Does(lambda u, state, ctx: (u.cumsum(-1) if u.dim() else u, state)), Scale(lr))


@broken("scale_free", traits="scale_free")
def ScalesInSecret(lr=1e-3):
    return chain(Ema(0.9), Scale(lr))


@broken("relative", traits="relative")
def IsNotRelative(lr=1e-3):
    return chain(Scale(lr))


@broken("sign", traits="sign")
def HasManySizes(lr=1e-3):
    return chain(Scale(lr))


@broken("low_memory", traits="low_memory")
def KeepsTwoAverages(lr=1e-3):
    return chain(Ema(0.9), Ema(0.9), Scale(lr))


@broken("traits_are_spelled", traits="elementwize")
def CannotSpell(lr=1e-3):
    return chain(Scale(lr))


@broken("traits_are_declared")
def SumsOverAll(lr=1e-3):
    def update(u, state, ctx):
        total = yield Total("sum", u.sum())
        return u + 0 * total, state

    return chain(Does(update), Scale(lr))


@broken("traits_are_declared", traits="averages")
def ClaimsToAverage(lr=1e-3):
    return chain(Scale(lr))


@broken("every_knob_counts")
def IgnoresItsDecay(lr: float = 1e-3, weight_decay: float = 0.1):
    return chain(Scale(lr))


@broken("every_knob_counts")
def IgnoresItsSecondBeta(lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.99)):
    return chain(Ema(betas[0]), Scale(lr))


@broken("every_knob_counts")
def IgnoresItsFlag(lr: float = 1e-3, careful: bool = False):
    return chain(Scale(lr))


@broken("every_knob_counts")
def IgnoresItsCount(lr: float = 1e-3, rounds: int = 3):
    return chain(Scale(lr))


@broken("every_knob_counts")
def IgnoresItsForm(lr: float = 1e-3, form: Literal["paper", "code"] = "paper"):
    return chain(Scale(lr))


@broken("every_knob_counts")
def HasAnUnknowableKnob(lr: float = 1e-3, link=None):
    return chain(Scale(lr))
