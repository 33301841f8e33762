"""Every recipe with the settings at which it is compared with its reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gradwright as gw
from tests import reference
from tests.runs import SHAPES

MATRICES = tuple(shape for shape in SHAPES if len(shape) > 1)
TABLES = ((4, 3), (3, 5))


@dataclass(frozen=True)
class Row:
    """``knobs`` go to both sides, ``own`` to the reference alone; all tensors have the role, if any."""

    name: str
    recipe: Any
    method: Callable[..., Any]
    knobs: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)
    shapes: tuple[tuple[int, ...], ...] = SHAPES
    role: str | None = None
    needs_loss: bool = False
    nan_at: tuple[int, ...] = ()

    @property
    def all_knobs(self) -> dict[str, Any]:
        return {**self.recipe.formula.defaults, **self.knobs, **self.own}


def _tiger(name: str, kind: str, shapes: Any, role: str | None, nan_at: tuple[int, ...] = (), **knobs: Any) -> Row:
    return Row(f"tiger, {name}", gw.Tiger, reference.tiger, knobs, {"kind": kind}, shapes, role, nan_at=nan_at)


def _lookahead(name: str, recipe: Any, base: Any, shapes: Any = SHAPES, **knobs: Any) -> Row:
    return Row(f"lookahead, {name}", gw.lookahead(recipe), reference.lookahead, knobs, {"base": base}, shapes)


ROWS = (
    Row("sgd", gw.SGD, reference.sgd, {"lr": 0.05}),
    Row("sgd, decay", gw.SGD, reference.sgd, {"lr": 0.05, "weight_decay": 0.1}),
    Row("sgd, momentum", gw.SGD, reference.sgd, {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}),
    Row("sgd, dampening", gw.SGD, reference.sgd, {"lr": 0.05, "momentum": 0.8, "dampening": 0.3}),
    Row("sgd, nesterov", gw.SGD, reference.sgd, {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    Row("adam", gw.Adam, reference.adam, {"lr": 0.03}),
    Row("adam, decay", gw.Adam, reference.adam, {"lr": 0.03, "betas": (0.7, 0.95), "weight_decay": 0.1}),
    Row("amsgrad", gw.Adam, reference.adam, {"lr": 0.03, "betas": (0.9, 0.5), "eps": 1e-3, "amsgrad": True}),
    Row("adamw", gw.AdamW, reference.adamw, {"lr": 0.03, "weight_decay": 0.1}),
    Row("adamw, amsgrad", gw.AdamW, reference.adamw, {"lr": 0.03, "betas": (0.8, 0.6), "amsgrad": True}),
    Row("nadam, torch", gw.NAdam, reference.nadam, {"lr": 0.03, "weight_decay": 0.1}),
    Row("nadam, dozat", gw.NAdam, reference.nadam, {"lr": 0.03, "form": "dozat", "momentum_decay": 0.02}),
    Row("nadam, optax", gw.NAdam, reference.nadam, {"lr": 0.03, "form": "optax"}),
    Row(
        "nadam, decoupled",
        gw.NAdam,
        reference.nadam,
        {"lr": 0.03, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ),
    Row("nadamw", gw.NAdamW, reference.nadamw, {"lr": 0.03, "weight_decay": 0.1}),
    Row("adabelief", gw.AdaBelief, reference.adabelief, {"lr": 0.03, "weight_decay": 0.1}),
    Row("adabelief, eps", gw.AdaBelief, reference.adabelief, {"lr": 0.03, "betas": (0.8, 0.9), "eps": 1e-4}),
    Row("lion", gw.Lion, reference.lion, {"lr": 0.01, "weight_decay": 0.1}),
    _tiger("kernel", "kernel", MATRICES, None, lr=0.02),
    _tiger("embedding", "embedding", TABLES, "embedding", lr=0.02, weight_decay=0.1),
    _tiger("bias", "bias", ((), (5,)), None, lr=0.02),
    _tiger("table of biases", "bias", TABLES, "bias", lr=0.02),
    _tiger("micro-steps", "kernel", MATRICES, None, lr=0.02, accumulate=4),
    _tiger("nan", "kernel", MATRICES, None, (3, 4, 9), lr=0.02, shrink=0.9),
    _tiger("gain, nan", "gain", ((5,), (2, 3)), "gain", (2, 8), lr=0.02),
    _tiger("micro-steps, nan", "embedding", TABLES, "embedding", (4, 7), lr=0.02, accumulate=3),
    Row("adafactor", gw.Adafactor, reference.adafactor, {"lr": 0.05}),
    Row("adafactor, momentum", gw.Adafactor, reference.adafactor, {"momentum": 0.9, "weight_decay": 0.1}),
    Row(
        "adafactor, no relative step",
        gw.Adafactor,
        reference.adafactor,
        {"lr": 0.02, "relative_step": False, "scale_parameter": False, "d": 0.5, "beta2_decay": -0.5},
    ),
    Row(
        "adafactor, torch",
        gw.Adafactor,
        reference.adafactor,
        {"lr": 0.05, "weight_decay": 0.1, "form": "torch", "eps": (1e-3, 1e-3)},
    ),
    Row("lamb", gw.Lamb, reference.lamb, {"lr": 0.02}),
    Row("lamb, no decay", gw.Lamb, reference.lamb, {"lr": 0.02, "weight_decay": 0.0, "betas": (0.8, 0.9)}),
    Row("muon", gw.Muon, reference.muon, {"weight_decay": 0.1}, shapes=MATRICES),
    Row("muon, no nesterov", gw.Muon, reference.muon, {"nesterov": False, "momentum": 0.8}, shapes=MATRICES),
    Row(
        "muon, you",
        gw.Muon,
        reference.muon,
        {"coefficients": "you", "adjust_lr": "match_rms_adamw"},
        shapes=MATRICES,
    ),
    Row("adalo", gw.AdaLo, reference.adalo, {"betas": (0.9, 0.95)}, needs_loss=True),
    Row("adalo, compliant", gw.AdaLo, reference.adalo, {"lr": 0.1, "mode": "compliant"}, needs_loss=True),
    Row("schedule-free", gw.ScheduleFreeAdamW, reference.schedule_free_adamw, {"lr": 0.03}),
    Row(
        "schedule-free, all knobs",
        gw.ScheduleFreeAdamW,
        reference.schedule_free_adamw,
        {"lr": 0.03, "weight_decay": 0.1, "warmup_steps": 10, "r": 0.75, "weight_lr_power": 1.5},
    ),
    _lookahead("sgd", gw.SGD, reference.sgd, lr=0.05, momentum=0.9, k=5),
    _lookahead("adamw", gw.AdamW, reference.adamw, lr=0.03, k=3, alpha=0.8),
    _lookahead("muon", gw.Muon, reference.muon, MATRICES, k=4),
    Row("cautious, adamw", gw.cautious(gw.AdamW), reference.cautious_adamw, {"lr": 0.03, "weight_decay": 0.1}),
    Row("cautious, lion", gw.cautious(gw.Lion), reference.cautious_lion, {"lr": 0.01, "weight_decay": 0.1}),
    Row("cautious, muon", gw.cautious(gw.Muon), reference.cautious_muon, {"weight_decay": 0.1}, shapes=MATRICES),
    Row(
        "cautious, sgd",
        gw.cautious(gw.SGD),
        reference.cautious_sgd,
        {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1},
    ),
    _lookahead("cautious adamw", gw.cautious(gw.AdamW), reference.cautious_adamw, lr=0.03, weight_decay=0.1, k=3),
)
