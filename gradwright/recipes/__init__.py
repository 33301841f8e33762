"""Named optimizers, a family a file, and the combinators that make new ones of them."""

from gradwright.recipes.adafactor import Adafactor
from gradwright.recipes.adam import AdaBelief, Adam, AdamW, NAdam, NAdamW
from gradwright.recipes.adam_denominators import AdamAtan2, Adamax, AMSGrad, EAdam, SAdam
from gradwright.recipes.adam_momenta import AdamNorm, AdaMomentum, AdEMAMix
from gradwright.recipes.averaged import averaged, polynomial_averaged, power_averaged
from gradwright.recipes.combinators import adanorm, cautious, grokfast, lookahead, untuned_warmup
from gradwright.recipes.conditioned import adaptively_clipped, centralized, clipped, softly_clipped, value_clipped
from gradwright.recipes.decay_forms import cautious_decay, decoupled
from gradwright.recipes.eigenbasis import SOAP
from gradwright.recipes.gradient_difference import MARS, Adan, DiffGrad
from gradwright.recipes.hyperball import AdamH, MuonH
from gradwright.recipes.layerwise import Lamb, Lars
from gradwright.recipes.learning_rate_free import DAdaptAdam, DAdaptSGD, DoG, DoWG, LDoG, Prodigy
from gradwright.recipes.loss_driven import AdaLo
from gradwright.recipes.low_memory import SM3, SMMF, Amos
from gradwright.recipes.memory_momentum import AMMSGD, PNM, AdaGL, AdaPNM, AMAdamW
from gradwright.recipes.muon import AdaMuon, Muon, NorMuon
from gradwright.recipes.normalized import NSGDA
from gradwright.recipes.rectified import ADOPT, RAdam
from gradwright.recipes.regularised import (
    SGDS,
    AdamCPR,
    AdamS,
    constrained,
    norm_regularized,
)
from gradwright.recipes.schedule_free import (
    ScheduleFreeAdamW,
    ScheduleFreeNorMuon,
    ScheduleFreeRAdam,
    ScheduleFreeSGD,
    schedule_free,
)
from gradwright.recipes.schedule_free_plus import ScheduleFreePlus
from gradwright.recipes.sgd import SGD
from gradwright.recipes.sign import Lion, Signum, Tiger
from gradwright.recipes.spectral import AdamW2
from gradwright.recipes.surefoot import Surefoot
from gradwright.recipes.thrifty import thrifty

__all__ = [
    "ADOPT",
    "AMMSGD",
    "MARS",
    "NSGDA",
    "PNM",
    "SGD",
    "SGDS",
    "SM3",
    "SMMF",
    "SOAP",
    "AMAdamW",
    "AMSGrad",
    "AdEMAMix",
    "AdaBelief",
    "AdaGL",
    "AdaLo",
    "AdaMomentum",
    "AdaMuon",
    "AdaPNM",
    "Adafactor",
    "Adam",
    "AdamAtan2",
    "AdamCPR",
    "AdamH",
    "AdamNorm",
    "AdamS",
    "AdamW",
    "AdamW2",
    "Adamax",
    "Adan",
    "Amos",
    "DAdaptAdam",
    "DAdaptSGD",
    "DiffGrad",
    "DoG",
    "DoWG",
    "EAdam",
    "LDoG",
    "Lamb",
    "Lars",
    "Lion",
    "Muon",
    "MuonH",
    "NAdam",
    "NAdamW",
    "NorMuon",
    "Prodigy",
    "RAdam",
    "SAdam",
    "ScheduleFreeAdamW",
    "ScheduleFreeNorMuon",
    "ScheduleFreePlus",
    "ScheduleFreeRAdam",
    "ScheduleFreeSGD",
    "Signum",
    "Surefoot",
    "Tiger",
    "adanorm",
    "adaptively_clipped",
    "averaged",
    "cautious",
    "cautious_decay",
    "centralized",
    "clipped",
    "constrained",
    "decoupled",
    "grokfast",
    "lookahead",
    "norm_regularized",
    "polynomial_averaged",
    "power_averaged",
    "schedule_free",
    "softly_clipped",
    "thrifty",
    "untuned_warmup",
    "value_clipped",
]
