"""What grokfast(), adanorm() and untuned_warmup() make of other recipes."""

from __future__ import annotations

import gradwright as gw
import gradwright.transforms as parts
from tests.families.kinds import Contract, Parity, case, variant
from tests.reference.adam import adamw
from tests.reference.adam_momenta import adamnorm
from tests.reference.adam_wrappers import grokfast, untuned_warmup
from tests.reference.rectified import radam
from tests.reference.sgd import sgd

GrokfastAdamW, GrokfastSGD = gw.grokfast(gw.AdamW), gw.grokfast(gw.SGD)
WarmAdamW, WarmRAdam = gw.untuned_warmup(gw.AdamW), gw.untuned_warmup(gw.RAdam)

CONTRACT = (
    Contract(GrokfastAdamW),
    Contract(GrokfastSGD, {"momentum": 0.9, "weight_decay": 0.01}),
    Contract(gw.adanorm(gw.AdamW)),
    Contract(gw.adanorm(gw.DiffGrad)),
    Contract(gw.adanorm(gw.RAdam)),
    Contract(WarmAdamW),
    Contract(WarmRAdam, {"betas": (0.9, 0.9)}),
    Contract(gw.untuned_warmup(gw.AMSGrad), {"form": "paper"}),
    Contract(gw.grokfast(gw.adanorm(gw.untuned_warmup(gw.AdaBelief))), {"betas": (0.9, 0.9)}),
)

PARITY = (
    Parity("grokfast, adamw", GrokfastAdamW, grokfast, {"lr": 0.03, "weight_decay": 0.1}, {"base": adamw}),
    Parity(
        "grokfast, sgd",
        GrokfastSGD,
        grokfast,
        {"lr": 0.03, "weight_decay": 0.1, "grokfast_alpha": 0.8, "grokfast_lamb": 5.0},
        {"base": sgd},
    ),
    Parity("adanorm, adam", gw.adanorm(gw.Adam), adamnorm, {"lr": 0.03, "weight_decay": 0.1}, {"form": "paper"}),
    Parity(
        "warmed up, adamw", WarmAdamW, untuned_warmup, {"lr": 0.3, "weight_decay": 0.1}, {"base": adamw, "beta2": 0.999}
    ),
    Parity(
        "warmed up, radam",
        WarmRAdam,
        untuned_warmup,
        {"lr": 0.3, "betas": (0.9, 0.95)},
        {"base": radam, "beta2": 0.95},
    ),
)

GOLDEN = {
    "GrokfastAdamW": variant(GrokfastAdamW),
    "GrokfastSGD": variant(GrokfastSGD, grokfast_alpha=0.8, grokfast_lamb=5.0),
    "AdaNormAdamW": variant(gw.adanorm(gw.AdamW), gamma=0.5),
    "UntunedWarmupAdamW": variant(WarmAdamW, betas=(0.9, 0.95)),
}

PARTS = (
    case(parts.AmplifySlow(0.5, 3.0), 2.0, 8.0, {"slow": 2.0}),
    case(parts.AmplifySlow(0.5, 3.0), 2.0, 11.0, {"slow": 3.0}, state={"slow": 4.0}, step=2.0),
    # the published example, its third gradient
    case(parts.AmplifySlow(), 0.2, 1.15664, {"slow": 0.47832}, state={"slow": 0.484}, step=3.0),
    case(parts.AmplifySlow(), -0.3, 0.668, {"slow": 0.484}, state={"slow": 0.5}, step=2.0),
)

STAGES = {0: {"AmplifySlow"}}

DEFAULTS = ((parts.AmplifySlow(), parts.AmplifySlow(0.98, 2.0)),)
