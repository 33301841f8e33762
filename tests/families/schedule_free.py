"""Schedule-free averaging."""

from __future__ import annotations

import gradwright as gw
from tests import reference
from tests.families.kinds import Contract, Parity, variant

CONTRACT = (
    Contract(gw.ScheduleFreeAdamW),
    Contract(gw.ScheduleFreeAdamW, {"warmup_steps": 3.0, "r": 1.0, "weight_decay": 0.01}),
)

PARITY = (
    Parity("schedule-free", gw.ScheduleFreeAdamW, reference.schedule_free_adamw, {"lr": 0.03}),
    Parity(
        "schedule-free, all knobs",
        gw.ScheduleFreeAdamW,
        reference.schedule_free_adamw,
        {"lr": 0.03, "weight_decay": 0.1, "warmup_steps": 10, "r": 0.75, "weight_lr_power": 1.5},
    ),
)

GOLDEN = {
    "ScheduleFreeAdamW": variant(gw.ScheduleFreeAdamW, None),
    "ScheduleFreeAdamW, warm-up": variant(gw.ScheduleFreeAdamW, warmup_steps=5, r=0.75, weight_decay=0.1),
}
