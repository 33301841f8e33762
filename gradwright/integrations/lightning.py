"""A callback for Lightning's Trainer: the right weights at the right time, losses, and probes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from gradwright.core.warn import warn_once
from gradwright.integrations.losses import give_loss, needs_loss
from gradwright.integrations.needed import missing
from gradwright.observe import Watch
from gradwright.optimizer import evaluation
from gradwright.optimizer.optimizer import Optimizer
from gradwright.training.batch_norm import batch_norms

try:
    from lightning.pytorch import Callback
except ModuleNotFoundError as error:
    try:
        from pytorch_lightning import Callback
    except ModuleNotFoundError:
        raise missing("lightning", error) from None

SAVE = "on_save_checkpoint"


class GradwrightCallback(Callback):
    """What Lightning's ``Trainer`` does not know of optimizers that average weights or read the loss.

    ::

        trainer = lightning.Trainer(callbacks=[GradwrightCallback()])

    * Recipes that keep weights of their own to evaluate with (``ScheduleFreeAdamW``, ``Surefoot``, ``averaged(...)``):
      these are in place while Lightning validates, tests or predicts, in every checkpoint it saves, and in the model
      when ``fit`` returns. The training weights are in the checkpoint too, so that a resumed run goes on bit for bit;
      one that is saved with ``save_weights_only=True`` has the evaluation weights alone.
    * Recipes that need the loss: they get that of the whole step, over gradient accumulation, a ``GradScaler`` and
      ranks. In manual optimization tell it, ``self.optimizers().step(loss=loss)``; without this callback Lightning
      makes two losses of that, which is refused.
    * ``watch``: a :class:`~gradwright.observe.Watch` of the run, then ``callback.watch.findings()``.

    Optimizers of other libraries are left alone. BatchNorm statistics belong to the weights of training; see
    docs/with_lightning.md for how to recompute them in ``on_validation_start``.

    Args:
        watch: whether to watch the run, or the arguments of the watch, such as ``{"every": 50, "to": "run.jsonl"}``.
        monitor: the name of a logged validation loss, lower being better, that the watch is told of.

    Attributes:
        watch: the watch of the run that is on, or was last; ``None`` before the first step.

    Raises:
        ValueError: ``monitor`` is given without ``watch``, which would ignore it.
    """

    def __init__(self, watch: bool | Mapping[str, Any] = False, monitor: str | None = None) -> None:
        if monitor is not None and watch is False:
            raise ValueError(f"monitor={monitor!r} has no effect without a watch; give watch=True, or leave it out")
        self.watch: Watch | None = None
        self.monitor = monitor
        self._watching = {} if watch is True else None if watch is False else dict(watch)
        self._put: list[Optimizer] = []
        self._handles: list[RemovableHandle] = []
        self._loss: Tensor | None = None
        self._steps = 0

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        if getattr(pl_module, SAVE).__name__ != "with_evaluation_weights":
            pl_module.__dict__[SAVE] = _saving(trainer, pl_module, getattr(pl_module, SAVE))

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self._steps, self._loss = trainer.global_step, None
        for optimizer in _own(trainer):
            optimizer.train()  # a checkpoint has both weights, and says that the others are in place
            known = self._known(trainer) if pl_module.automatic_optimization else _nothing
            self._handles.append(give_loss(optimizer, known))
            _mention_batch_norm(optimizer, pl_module)
        if self._watching is not None:
            scaler = getattr(trainer.precision_plugin, "scaler", None)
            self.watch = Watch(pl_module, trainer.optimizers, scaler=scaler, **self._watching)

    def on_before_zero_grad(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        self._loss = None

    def on_before_backward(self, trainer: Any, pl_module: Any, loss: Tensor) -> None:
        """Each part of an accumulated loss, which Lightning has divided by their number, and scaled."""
        loss, scaler = loss.detach(), getattr(trainer.precision_plugin, "scaler", None)
        loss = loss if scaler is None else loss / scaler.get_scale()
        self._loss = loss if self._loss is None else self._loss + loss

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.watch is not None and trainer.global_step != self._steps:
            self.watch.step(_loss_of(outputs))
        self._steps = trainer.global_step

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        for optimizer in _own(trainer):
            optimizer.eval()
        self._close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._close()

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        pl_module.__dict__.pop(SAVE, None)

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        self._show(trainer)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if self.watch is not None and self.monitor is not None and not trainer.sanity_checking:
            self.watch.validation(_monitored(trainer, self.monitor))
        self._hide()

    def on_test_start(self, trainer: Any, pl_module: Any) -> None:
        self._show(trainer)

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        self._hide()

    def on_predict_start(self, trainer: Any, pl_module: Any) -> None:
        self._show(trainer)

    def on_predict_end(self, trainer: Any, pl_module: Any) -> None:
        self._hide()

    def _show(self, trainer: Any) -> None:
        self._put = [optimizer for optimizer in _own(trainer) if not evaluation.in_place(optimizer)]
        for optimizer in self._put:
            optimizer.eval()

    def _hide(self) -> None:
        for optimizer in self._put:
            optimizer.train()
        self._put = []

    def _known(self, trainer: Any) -> Any:
        """What :func:`give_loss` asks for the loss of the step, the mean over ranks."""

        def loss() -> Tensor | None:
            if self._loss is None or trainer.world_size == 1:
                return self._loss
            return trainer.strategy.reduce(self._loss, reduce_op="mean")

        return loss if any(map(needs_loss, trainer.optimizers)) else _nothing

    def _close(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []
        if self.watch is not None:
            self.watch.close()


def _own(trainer: Any) -> list[Optimizer]:
    return [optimizer for optimizer in trainer.optimizers if isinstance(optimizer, Optimizer)]


def _nothing() -> None:
    return None


def _saving(trainer: Any, pl_module: Any, asked: Any) -> Any:
    """The hook of the module that Lightning calls for each checkpoint, with evaluation weights put into that first.

    The hook of callbacks would not do: Lightning leaves it out where it saves weights alone.
    """

    def with_evaluation_weights(checkpoint: dict[str, Any]) -> None:
        hidden = [optimizer for optimizer in _own(trainer) if not evaluation.in_place(optimizer)]
        try:
            for optimizer in hidden:
                optimizer.eval()
            if any(map(evaluation.in_place, hidden)):
                weights = trainer.strategy.lightning_module_state_dict()
                checkpoint["state_dict"] = {key: _copied(value) for key, value in weights.items()}
                if "optimizer_states" in checkpoint:
                    states = [trainer.strategy.optimizer_state(optimizer) for optimizer in trainer.optimizers]
                    checkpoint["optimizer_states"] = states
        finally:
            for optimizer in hidden:
                optimizer.train()
        asked(checkpoint)

    return with_evaluation_weights


def _copied(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value


def _loss_of(outputs: Any) -> Tensor | None:
    """The loss among what a training step returned; in manual optimization it may have returned none."""
    found = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
    return found.detach() if isinstance(found, torch.Tensor) and found.numel() == 1 else None


def _monitored(trainer: Any, name: str) -> Tensor:
    if name not in trainer.callback_metrics:
        known = ", ".join(sorted(map(str, trainer.callback_metrics))) or "nothing"
        raise ValueError(f"monitor={name!r} was not logged; logged are: {known}")
    return trainer.callback_metrics[name]


def _mention_batch_norm(optimizer: Optimizer, model: nn.Module) -> None:
    if batch_norms(model) and any(optimizer.chain_of(group).evaluates for group in optimizer.param_groups):
        warn_once(
            "the BatchNorm statistics of this model are gathered at the weights of training, and Lightning validates "
            "with averaged ones: recompute them in on_validation_start, see gradwright.training.recompute_batch_norm"
        )
