"""Steps in proportion to the weights of a layer."""

from __future__ import annotations

import gradwright as gw
import gradwright.transforms as parts
from tests import reference
from tests.families.kinds import Contract, Parity, case, variant
from tests.families.worked import M2, G, matrix
from tests.reference.lamb import lars

FORMS = ("paper", "simclr", "popular", "timm")

CONTRACT = (
    Contract(gw.Lamb),
    Contract(gw.Lamb, {"bias_correction": False, "clip": (0.0, 10.0)}),
    *(Contract(gw.Lars, {"form": form}) for form in FORMS if form != "popular"),
    Contract(gw.Lars, {"form": "popular", "trust_coefficient": 0.02}),
    Contract(gw.Lars, {"nesterov": True}),
)


def _lars(form: str, **knobs: object) -> Parity:
    given = {"lr": 20.0, "weight_decay": 0.1, "form": form, **knobs}
    return Parity(", ".join(["lars", form, *knobs]), gw.Lars, lars, given)


PARITY = (
    Parity("lamb", gw.Lamb, reference.lamb, {"lr": 0.02}),
    Parity("lamb, no decay", gw.Lamb, reference.lamb, {"lr": 0.02, "weight_decay": 0.0, "betas": (0.8, 0.9)}),
    Parity("lamb, albert", gw.Lamb, reference.lamb, {"lr": 0.02, "bias_correction": False}),
    Parity("lamb, clipped", gw.Lamb, reference.lamb, {"lr": 0.02, "clip": (1.0, 3.0)}),
    *(_lars(form) for form in FORMS),
    *(_lars(form, nesterov=True, momentum=0.7) for form in FORMS),
)

LAMB = {"lr": 0.1, "weight_decay": 0.01, "eps": 1e-6}
LARS = {"lr": 1.0, "momentum": 0.9, "weight_decay": 0.01, "trust_coefficient": 1e-3}

WORKED = (
    matrix(
        "LAMB, ALBERT's",
        gw.Lamb,
        {
            1: [[0.7266182389, 2.2708386769], [2.7248366818, 3.7239674438]],
            3: [[0.8325187255, 2.1357145535], [1.9625109296, 3.4135698099]],
        },
        bias_correction=False,
        **LAMB,
    ),
    matrix(
        "LAMB, M2",
        gw.Lamb,
        {
            1: [[0.97275567, 2.02643491], [2.97221622, 3.97194641]],
            2: [[0.96651877, 2.02348743], [2.93742997, 3.93061069]],
        },
        steps=M2,
        lr=0.01,
    ),
    *(
        matrix(
            f"LARS, {form}",
            gw.Lars,
            {
                1: [[0.999, 2.0016363636], [2.997, 3.996]],
                3: [[0.9997877046, 1.9980475242], [2.9908541070, 3.9923063396]],
            },
            form=form,
            **LARS,
        )
        for form in ("paper", "timm")
    ),
    matrix(
        "LARS, SimCLR's",
        gw.Lars,
        {3: [[1.0006456173, 1.9973171907], [2.9902835960, 3.9933037590]]},
        steps=G,
        form="simclr",
        **LARS,
    ),
)

PUBLISHED = {gw.Lars: {"momentum": 0.9, "weight_decay": 5e-4, "trust_coefficient": 1e-3, "form": "paper"}}

GOLDEN = {
    "Lamb": variant(gw.Lamb, None),
    "Lamb, albert": variant(gw.Lamb, bias_correction=False, clip=(1.0, 2.0)),
    **{f"Lars, {form}": variant(gw.Lars, 5.0, form=form, weight_decay=0.1, nesterov=True) for form in FORMS},
}

PARTS = (
    case(parts.TrustRatio(share=0.5), [0.3, 0.4], [1.5, 2.0], param=[3.0, 4.0]),
    case(parts.TrustRatio(share=0.5), [0.3, 0.4], [0.3, 0.4], param=[0.0, 0.0]),
    case(parts.TrustRatio(clip=(0.0, 2.5)), [0.3, 0.4], [1.5, 2.0], param=[3.0, 4.0]),
    case(parts.TrustRatio(clip=(10.0, 20.0)), [0.3, 0.4], [6.0, 8.0], param=[3.0, 4.0]),
    # η ‖p‖ = 0.5 · 5 over ‖u‖ + λ ‖p‖ = 10 + 0.5 · 5
    case(parts.LayerRate(0.5, 0.5), [6.0, 8.0], [0.2 * 7.5, 0.2 * 10.0], param=[3.0, 4.0]),
    case(parts.LayerRate(0.5, 0.5, only="!vector"), [6.0, 8.0], [6.0, 8.0], param=[3.0, 4.0]),
    case(parts.LayerRate(0.5, 0.5), [6.0, 8.0], [6.0, 8.0], param=[0.0, 0.0]),
    case(parts.LayerRate(0.5, 0.5), [0.0, 0.0], [1.5, 2.0], param=[3.0, 4.0]),
)

DEFAULTS = (
    (parts.TrustRatio(), parts.TrustRatio("*", 1.0, None)),
    (parts.LayerRate(), parts.LayerRate(1e-3, 0.0, "*")),
)
