"""Every scheduler of torch drives every recipe."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.optim import lr_scheduler as torch_schedulers

from gradwright.contract.check import Knobs, RecipeClass, check
from gradwright.contract.training import MATRIX, Training, copies, same, served, weights
from gradwright.optimizer.optimizer import Optimizer

STEPS = 6
LOUD = 5.0
"""Noise that turns gradients around, so that momentum shows even where only signs count."""


def _lr(optimizer: Optimizer) -> float:
    return float(optimizer.param_groups[0]["lr"])


def _cycles(optimizer: Optimizer) -> bool:
    return "betas" in optimizer.defaults or "momentum" in optimizer.defaults


SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    "LambdaLR": lambda o: torch_schedulers.LambdaLR(o, lambda epoch: 1 / (1 + epoch)),
    "MultiplicativeLR": lambda o: torch_schedulers.MultiplicativeLR(o, lambda epoch: 0.9),
    "StepLR": lambda o: torch_schedulers.StepLR(o, 2),
    "MultiStepLR": lambda o: torch_schedulers.MultiStepLR(o, [1, 4]),
    "ConstantLR": lambda o: torch_schedulers.ConstantLR(o, 0.5, 3),
    "LinearLR": lambda o: torch_schedulers.LinearLR(o, 0.1, 1.0, 4),
    "ExponentialLR": lambda o: torch_schedulers.ExponentialLR(o, 0.8),
    "PolynomialLR": lambda o: torch_schedulers.PolynomialLR(o, STEPS, 2.0),
    "CosineAnnealingLR": lambda o: torch_schedulers.CosineAnnealingLR(o, STEPS),
    "CosineAnnealingWarmRestarts": lambda o: torch_schedulers.CosineAnnealingWarmRestarts(o, 3),
    "ReduceLROnPlateau": lambda o: torch_schedulers.ReduceLROnPlateau(o, patience=0, threshold=10.0),
    "CyclicLR": lambda o: torch_schedulers.CyclicLR(o, _lr(o), 4 * _lr(o), step_size_up=2, cycle_momentum=_cycles(o)),
    "OneCycleLR": lambda o: torch_schedulers.OneCycleLR(
        o, 4 * _lr(o), total_steps=STEPS + 1, cycle_momentum=_cycles(o)
    ),
    "SequentialLR": lambda o: torch_schedulers.SequentialLR(
        o, [torch_schedulers.LinearLR(o, 0.1, 1.0, 2), torch_schedulers.ExponentialLR(o, 0.5)], [3]
    ),
    "ChainedScheduler": lambda o: torch_schedulers.ChainedScheduler(
        [torch_schedulers.LinearLR(o, 0.1, 1.0, 2), torch_schedulers.ExponentialLR(o, 0.5)], optimizer=o
    ),
}
"""How to build each of torch's schedulers, so that the lr changes within a few steps."""


def _trace(training: Training, scheduler: Any) -> list[dict[str, Any]]:
    """Train under a scheduler; what it set before each step."""
    group, found = training.optimizer.param_groups[0], []
    for _ in range(STEPS):
        found.append({key: group[key] for key in ("lr", "betas", "momentum") if key in group})
        training.step()
        plateau = isinstance(scheduler, torch_schedulers.ReduceLROnPlateau)
        scheduler.step(*([1.0] if plateau else []))
    return found


def _by_hand(training: Training, settings: list[dict[str, Any]]) -> list[Tensor]:
    for setting in settings:
        training.optimizer.param_groups[0].update(setting)
        training.step()
    return training.values()


@check()
def schedulers_drive_it(recipe: RecipeClass, knobs: Knobs) -> None:
    """Each of torch's schedulers changes lr, and the steps are those of the same values assigned by hand."""
    params = served(recipe, knobs, weights(MATRIX))
    for name, build in SCHEDULERS.items():
        training = Training(recipe, knobs, copies(params))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            settings = _trace(training, build(training.optimizer))
        assert len({setting["lr"] for setting in settings}) > 1, f"{name} did not change lr: {settings[0]['lr']}"
        by_hand = _by_hand(Training(recipe, knobs, copies(params)), settings)
        assert same(training.values()[0], by_hand[0]), f"under {name} the steps are not those of the lr that it sets"


@check()
def cycles_move_momentum(recipe: RecipeClass, knobs: Knobs) -> None:
    """OneCycleLR and CyclicLR, as they are by default, cycle betas or momentum where the recipe has them."""
    params = served(recipe, knobs, weights(MATRIX))
    for name in ("OneCycleLR", "CyclicLR"):
        training = Training(recipe, knobs, copies(params), noise=LOUD)
        if not _cycles(training.optimizer):
            continue
        settings = _trace(training, SCHEDULERS[name](training.optimizer))
        key = "betas" if "betas" in training.optimizer.defaults else "momentum"
        seen = {setting[key] for setting in settings}
        assert len(seen) > 1, f"{name} left {key} at {seen}"
        resting = [{**setting, key: settings[0][key]} for setting in settings]
        fixed = _by_hand(Training(recipe, knobs, copies(params), noise=LOUD), resting)
        assert not same(training.values()[0], fixed[0]), f"{name} cycled {key} and the steps did not follow"
