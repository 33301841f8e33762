"""The table: one row for each recipe and each form of it. An exception names a check and says why it cannot hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gradwright import (
    SGD,
    AdaBelief,
    Adafactor,
    AdaLo,
    Adam,
    AdamW,
    Lamb,
    Lion,
    Muon,
    NAdam,
    NAdamW,
    Recipe,
    ScheduleFreeAdamW,
    Tiger,
    cautious,
    lookahead,
)


@dataclass(frozen=True)
class Row:
    """A recipe in one of its forms.

    Args:
        recipe: its class.
        knobs: the hyper-parameters that make the form.
        exceptions: checks that this form cannot meet, by name, each with the reason.
    """

    recipe: type[Recipe[...]]
    knobs: Mapping[str, Any] = field(default_factory=dict)
    exceptions: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return "-".join([self.recipe.recipe_name, *(f"{key}={value}" for key, value in self.knobs.items())])


ROWS = (
    Row(SGD),
    Row(SGD, {"weight_decay": 0.01}),
    Row(SGD, {"momentum": 0.9, "nesterov": True}),
    Row(SGD, {"momentum": 0.9, "dampening": 0.5}),
    Row(Adam),
    Row(Adam, {"amsgrad": True, "weight_decay": 0.01}),
    Row(AdamW),
    Row(AdamW, {"amsgrad": True}),
    Row(NAdam),
    Row(NAdam, {"form": "dozat", "weight_decay": 0.01}),
    Row(NAdam, {"form": "optax", "decoupled_weight_decay": True, "weight_decay": 0.01}),
    Row(NAdamW),
    Row(AdaBelief),
    Row(Lamb),
    Row(Adafactor),
    Row(Adafactor, {"momentum": 0.9, "weight_decay": 0.01}),
    Row(Adafactor, {"form": "torch", "weight_decay": 0.01}),
    Row(
        Adafactor,
        {"scale_parameter": False, "relative_step": False, "lr": 1e-3},
        {"relative": "scale_parameter=False takes the size of the weights out of the step"},
    ),
    Row(Lion),
    Row(Lion, {"weight_decay": 0.1}),
    Row(Tiger),
    Row(
        Tiger,
        {"accumulate": 2},
        {"latecomers_start_at_one": "micro-batches are gathered in cycles that all tensors share"},
    ),
    Row(AdaLo),
    Row(AdaLo, {"mode": "compliant", "lr": 0.1}),
    Row(Muon),
    Row(Muon, {"adjust_lr": "match_rms_adamw", "lr": 1e-3, "weight_decay": 0.1}),
    Row(Muon, {"coefficients": "you", "nesterov": False}),
    Row(ScheduleFreeAdamW),
    Row(ScheduleFreeAdamW, {"warmup_steps": 3.0, "r": 1.0, "weight_decay": 0.01}),
    Row(cautious(AdamW)),
    Row(cautious(Lion)),
    Row(cautious(Muon)),
    Row(lookahead(SGD)),
    Row(lookahead(SGD), {"momentum": 0.9, "k": 2, "alpha": 0.8}),
    Row(lookahead(AdaLo)),
    Row(lookahead(cautious(AdamW))),
    Row(lookahead(ScheduleFreeAdamW)),
)
