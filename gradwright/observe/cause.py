"""What can be wrong with a run: the causes, how grave one is, and a finding."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any


class Cause(enum.Enum):
    """What is wrong with a run. The value is one sentence for a reader."""

    LR_TOO_HIGH = "The learning rate is too high: steps are as large as the weights, and the run is worse for it."
    LR_TOO_LOW = "The learning rate is too low: steps are too small to lower the loss in any number that was taken."
    SCHEDULE = "The learning rate schedule takes the learning rate away for much of the run."
    VANISHING_GRADIENTS = "Gradients vanish on their way to the first layers."
    EXPLODING_GRADIENTS = "Gradients explode on their way through the model, before any step was taken."
    DEAD_UNITS = "Most units of a layer are zero for every sample, and learn nothing."
    SATURATED_UNITS = "Most units of a layer sit where their activation is flat."
    EPS_RULES = "eps, not the second moment, decides the size of the steps."
    LOST_TO_ROUNDING = "Steps are smaller than the spacing of the weights' type, and are lost to rounding."
    SCALER_SKIPS = "The gradient scaler skips steps, since scaled gradients overflow."
    NOT_CLEARED = "Gradients are not cleared between steps: each step uses the sum of all before it."
    NOT_HELD = "Parameters of the model are held by no optimizer, and stay as they are."
    NO_GRADIENT = "Parameters that the optimizer holds never get a gradient."
    STALE_PARAMETERS = "The optimizer holds tensors that the model does not use."
    DECAY_RULES = "Weight decay, not the gradient, decides the steps."
    CLIP_ALWAYS = "Gradient clipping acts at every step: it is the learning rate in disguise."
    NON_FINITE = "A value became infinite or NaN without large steps before it."
    INPUTS_NOT_SCALED = "The inputs are not scaled to about unit size."
    WRONG_INITIAL_LOSS = "The loss before the first step is far above that of a uniform guess."
    LABEL_NOISE = "Many labels are wrong: where the model disagrees with one, it is as unlikely as any other class."
    LONG_TAIL = "Some classes are so rare that they starve beside the frequent ones."
    BATCH_TOO_SMALL = "The batch is too small for the noise of its gradient."
    NOT_SHUFFLED = "The data are not shuffled: samples of a batch are alike, and the loss follows their order."
    OVERFITTING = "The model overfits: the validation loss rises while the training loss falls."
    EVAL_IN_TRAIN_MODE = "The model is evaluated in training mode: dropout or batch statistics are at work."
    WEIGHTS_NOT_IN_PLACE = "The model is evaluated with other weights than the optimizer keeps for it."


class Severity(enum.IntEnum):
    """How grave a finding is. Values grow with it, so that findings sort."""

    NOTE = 0
    """Worth knowing; nothing to do at once."""
    WARNING = 1
    """The run is worse than it has to be."""
    CRITICAL = 2
    """The run does not train what it should."""

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        cause: which one.
        severity: how grave.
        evidence: a sentence with the numbers and the layers that say so.
        remedy: a line of code.
        confidence: how sure it is, from 0 to 1.
        layers: names of the parameters or modules concerned, in the model's order; empty for the whole run.
        numbers: the numbers of the evidence by name, for machines.
        steps: the first and the last step at which it was seen.
    """

    cause: Cause
    severity: Severity
    evidence: str
    remedy: str
    confidence: float
    layers: tuple[str, ...] = ()
    numbers: dict[str, float] = field(default_factory=dict)
    steps: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        sure = f"{100 * self.confidence:.0f} % sure"
        return f"[{self.severity}] {self.cause.value}\n    {self.evidence}\n    Do: {self.remedy}   ({sure})"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "cause": self.cause.name,
            "severity": str(self.severity),
            "sentence": self.cause.value,
            "evidence": self.evidence,
            "remedy": self.remedy,
            "confidence": self.confidence,
            "layers": list(self.layers),
            "numbers": dict(self.numbers),
            "steps": list(self.steps),
        }
