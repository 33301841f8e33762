"""What becomes of a momentum when Lookahead's weights go back."""

from __future__ import annotations

import gradwright as gw
import gradwright.transforms as parts
from tests import reference
from tests.families.kinds import Contract, Parity, case, variant

CONTRACT = (
    Contract(gw.lookahead(gw.SGD), {"momentum": 0.9, "k": 3, "pullback_momentum": "pullback"}),
    Contract(gw.lookahead(gw.AdamW), {"k": 4, "pullback_momentum": "reset"}),
)


def _row(name, recipe, base, **knobs):
    return Parity(f"lookahead, {name}", gw.lookahead(recipe), reference.lookahead, knobs, {"base": base})


PARITY = (
    _row("sgd, pullback", gw.SGD, reference.sgd, lr=0.05, momentum=0.9, k=3, pullback_momentum="pullback"),
    _row("sgd, reset", gw.SGD, reference.sgd, lr=0.05, momentum=0.9, nesterov=True, k=4, pullback_momentum="reset"),
    _row("adamw, pullback", gw.AdamW, reference.adamw, lr=0.03, k=3, alpha=0.8, pullback_momentum="pullback"),
)

GOLDEN = {
    "LookaheadSGD, pullback": variant(gw.lookahead(gw.SGD), momentum=0.9, k=3, pullback_momentum="pullback"),
    "LookaheadAdamW, reset": variant(gw.lookahead(gw.AdamW), k=3, pullback_momentum="reset"),
}

EMA = parts.Ema(0.5)

PARTS = (
    case(parts.PullBack(EMA, 2, 0.25), 4.0, 3.0, {"of.m": 3.0, "slow": 1.0}, state={"of.m": 2.0, "slow": 1.0}),
    case(
        parts.PullBack(EMA, 2, 0.25),
        4.0,
        3.0,
        {"of.m": 1.5, "slow": 1.5},
        state={"of.m": 2.0, "slow": 1.0},
        clock=4.0,
    ),
    case(parts.PullBack(EMA, 2, 0.25, "zero"), 4.0, 3.0, {"of.m": 0.0}, state={"of.m": 2.0}, clock=4.0),
)

DEFAULTS = ((parts.PullBack(EMA), parts.PullBack(EMA, 5, 0.5, "slow")),)
