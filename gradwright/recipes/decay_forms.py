"""Combinators that give a recipe's decoupled weight decay another form."""

from __future__ import annotations

import dataclasses
from typing import Literal

from gradwright.core import Chain, chain
from gradwright.core.transform import STEP
from gradwright.recipes.combinator import combinator
from gradwright.transforms import CautiousDecay, Decay, RestFirst, Scale

DECOUPLED = {"decoupled_weight_decay": True}
"""What a combinator asks of recipes that offer an L2 penalty as well."""


@combinator("CautiousDecay", paper="arXiv:2510.12402", neutral={"weight_decay": 0.0}, sets=DECOUPLED)
def cautious_decay(base: Chain) -> Chain:
    """Decay a weight only where the recipe's own step shrinks it as well; λ stays the recipe's ``weight_decay``.

    u ← u + λ [u · p ≥ 0] p, in place of u + λ p. About half of the weights decay at a time. A recipe whose decay is
    decoupled only on request (``decoupled_weight_decay``) has it so here.

    Raises:
        ValueError: the recipe has no decoupled weight decay that could be masked.
    """
    decay = _decay_of(base, "cautious_decay")
    fields = {field.name: getattr(decay, field.name) for field in dataclasses.fields(decay)}
    return chain(*(CautiousDecay(**fields) if link is decay else link for link in base.links))


@combinator("Decoupled", paper="arXiv:1711.05101, arXiv:2506.02285", neutral={"weight_decay": 0.0}, sets=DECOUPLED)
def decoupled(
    base: Chain,
    decay_form: Literal["independent", "corrected", "after"] = "independent",
    peak_lr: float | None = None,
) -> Chain:
    """Choose what weight decay is multiplied by; a recipe as it is has lr λ.

    ``"independent"``: p ← p − lr u − (lr / peak) λ p, which is the AdamW of the paper: λ follows the schedule and not
    the size of lr. Without ``peak_lr`` the factor is λ alone, whatever the schedule does.
    ``"corrected"``: p ← p − lr u − (lr² / peak) λ p, which keeps the weights of normalised layers in balance while lr
    falls; needs ``peak_lr``, the lr at the top of the schedule.
    ``"after"``: p ← (p − lr u) (1 − lr λ), the order of the CUDA kernels of bitsandbytes. It has no ``peak_lr``.

    The λ of a recipe as it is must be multiplied by its lr for ``"independent"``: 0.1 at lr = 1e-3 becomes 1e-4. A
    recipe whose decay is decoupled only on request (``decoupled_weight_decay``) has it so here. One that rests at first
    (ADOPT) rests with its decay.

    Raises:
        ValueError: the recipe does not end in decay and learning rate, or ``peak_lr`` does not belong to the form.
    """
    if decay_form not in ("independent", "corrected", "after"):
        raise ValueError(f"decoupled: decay_form={decay_form!r} is unknown; known are independent, corrected, after")
    if decay_form == "corrected" and peak_lr is None:
        raise ValueError("decoupled: decay_form='corrected' needs peak_lr, the lr at the top of the schedule")
    if decay_form == "after" and peak_lr is not None:
        raise ValueError(f"decoupled: peak_lr={peak_lr:g} has no meaning for decay_form='after'; leave it out")
    if peak_lr == 0:
        raise ValueError("decoupled: peak_lr=0 must be above 0: the lr at the top of the schedule")
    decay = _decay_of(base, "decoupled")
    at = base.links.index(decay)
    scale, *others = base.links[at + 1 :] or [decay]
    if not isinstance(scale, Scale) or not all(isinstance(link, RestFirst) or link.stage > STEP for link in others):
        raise ValueError(
            "decoupled: this recipe's decay is not followed by its learning rate alone, so there is no other form of "
            "it; combine it with AdamW, Lion, Muon or their like"
        )
    share = scale.size if peak_lr is None else scale.size / peak_lr
    factor, power = {
        "independent": (1.0, 0) if peak_lr is None else (share, 1),
        "corrected": (scale.size * share, 2),
        "after": (scale.size, 1),
    }[decay_form]
    new = dataclasses.replace(
        decay, weight_decay=factor * decay.weight_decay, after=decay_form == "after", lr_power=power
    )
    return chain(*base.links[:at], scale, new, *others)


def _decay_of(base: Chain, name: str) -> Decay:
    decays = [link for link in base.links if isinstance(link, Decay)]
    if len(decays) != 1:
        found = "no decoupled weight decay" if not decays else "several weight decays"
        raise ValueError(f"{name}: this recipe has {found}; combine it with AdamW, Lion, Muon or their like")
    if told := [type(link).__name__ for link in base.links if link.told_decay]:
        raise ValueError(
            f"{name}: {told[0]} reckons with the recipe's own decay, and would do so with another one in its place; "
            "combine it with AdamW, Lion, Muon or their like"
        )
    return decays[0]
