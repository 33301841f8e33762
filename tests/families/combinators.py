"""What cautious() and lookahead() make of other recipes."""

from __future__ import annotations

from typing import Any

import gradwright as gw
from tests import reference
from tests.families.kinds import GOLDEN_MATRICES, MATRICES, Contract, Parity, variant
from tests.runs import SHAPES


def _lookahead(name: str, recipe: Any, base: Any, shapes: Any = SHAPES, **knobs: Any) -> Parity:
    return Parity(f"lookahead, {name}", gw.lookahead(recipe), reference.lookahead, knobs, {"base": base}, shapes)


CONTRACT = (
    Contract(gw.cautious(gw.AdamW)),
    Contract(gw.cautious(gw.Lion)),
    Contract(gw.cautious(gw.Muon)),
    Contract(gw.cautious(gw.Adafactor), {"momentum": 0.9}),
    Contract(gw.cautious(gw.Lars)),
    Contract(gw.lookahead(gw.SGD)),
    Contract(gw.lookahead(gw.SGD), {"momentum": 0.9, "k": 2, "alpha": 0.8}),
    Contract(gw.lookahead(gw.AdaLo)),
    Contract(gw.lookahead(gw.cautious(gw.AdamW))),
)

PARITY = (
    _lookahead("sgd", gw.SGD, reference.sgd, lr=0.05, momentum=0.9, k=5),
    _lookahead("adamw", gw.AdamW, reference.adamw, lr=0.03, k=3, alpha=0.8),
    _lookahead("muon", gw.Muon, reference.muon, MATRICES, k=4),
    Parity("cautious, adamw", gw.cautious(gw.AdamW), reference.cautious_adamw, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("cautious, lion", gw.cautious(gw.Lion), reference.cautious_lion, {"lr": 0.01, "weight_decay": 0.1}),
    Parity("cautious, muon", gw.cautious(gw.Muon), reference.cautious_muon, {"weight_decay": 0.1}, shapes=MATRICES),
    Parity(
        "cautious, sgd",
        gw.cautious(gw.SGD),
        reference.cautious_sgd,
        {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1},
    ),
    _lookahead("cautious adamw", gw.cautious(gw.AdamW), reference.cautious_adamw, lr=0.03, weight_decay=0.1, k=3),
)

GOLDEN = {
    "CautiousAdamW": variant(gw.cautious(gw.AdamW)),
    "CautiousLion": variant(gw.cautious(gw.Lion)),
    "CautiousMuon": variant(gw.cautious(gw.Muon), shapes=GOLDEN_MATRICES),
    "LookaheadSGD": variant(gw.lookahead(gw.SGD), momentum=0.9),
    "LookaheadAdamW": variant(gw.lookahead(gw.AdamW), k=3, alpha=0.8),
    "LookaheadCautiousNAdamW": variant(gw.lookahead(gw.cautious(gw.NAdamW))),
}
