"""Evaluation weights, where Hugging Face's Trainer saves them or leaves them to the user."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from gradwright.optimizer.optimizer import Optimizer


def own(optimizer: Any) -> Optimizer | None:
    """The optimizer inside what accelerate wraps around it; ``None`` for one of another library."""
    while not isinstance(optimizer, Optimizer) and hasattr(optimizer, "optimizer"):
        optimizer = optimizer.optimizer
    return optimizer if isinstance(optimizer, Optimizer) else None


def show(optimizer: Any) -> None:
    """Put evaluation weights in place; the Trainer's next training step takes them away."""
    if (found := own(optimizer)) is not None:
        found.eval()


class EvaluationWeights(TrainerCallback):
    """Recipes that average weights: the average is what a checkpoint holds, and what training leaves in the model.

    ::

        trainer = transformers.Trainer(..., callbacks=[EvaluationWeights()])

    The Trainer itself evaluates with the average, and saved the training weights where it did not evaluate just before.
    The training weights are in the checkpoint's ``optimizer.pt``: a resumed run goes on bit for bit.
    """

    def on_step_end(self, args: Any, state: Any, control: Any, **found: Any) -> None:
        if control.should_save or control.should_evaluate or control.should_training_stop:
            show(found.get("optimizer"))

    on_epoch_end = on_step_end

    def on_train_end(self, args: Any, state: Any, control: Any, **found: Any) -> None:
        show(found.get("optimizer"))
