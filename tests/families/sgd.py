"""SGD and its momenta."""

from __future__ import annotations

import gradwright as gw
from tests import reference
from tests.families.kinds import Contract, Parity, variant

CONTRACT = (
    Contract(gw.SGD),
    Contract(gw.SGD, {"weight_decay": 0.01}),
    Contract(gw.SGD, {"momentum": 0.9, "nesterov": True}),
    Contract(gw.SGD, {"momentum": 0.9, "dampening": 0.5}),
)

PARITY = (
    Parity("sgd", gw.SGD, reference.sgd, {"lr": 0.05}),
    Parity("sgd, decay", gw.SGD, reference.sgd, {"lr": 0.05, "weight_decay": 0.1}),
    Parity("sgd, momentum", gw.SGD, reference.sgd, {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}),
    Parity("sgd, dampening", gw.SGD, reference.sgd, {"lr": 0.05, "momentum": 0.8, "dampening": 0.3}),
    Parity("sgd, nesterov", gw.SGD, reference.sgd, {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
)

GOLDEN = {
    "SGD": variant(gw.SGD),
    "SGD, momentum": variant(gw.SGD, momentum=0.9, dampening=0.1, weight_decay=0.1),
    "SGD, nesterov": variant(gw.SGD, momentum=0.9, nesterov=True),
}
