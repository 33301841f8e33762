"""Watch: listens to a training run, and says at any time what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from gradwright.observe.batch import DataObserver, classified
from gradwright.observe.cause import Finding
from gradwright.observe.clearing import ClearingObserver
from gradwright.observe.diagnosis import diagnose
from gradwright.observe.forward import ForwardObserver, first_tensor
from gradwright.observe.held import group_names, held_by_name, names_of
from gradwright.observe.modes import ModeObserver
from gradwright.observe.pending import Pending, PendingWindow
from gradwright.observe.record import Record
from gradwright.observe.settings import number
from gradwright.observe.steps import StepObserver
from gradwright.observe.telling import Target, Telling
from gradwright.observe.window import measure

EARLY_STEPS = 20
"""The first steps are all watched: what they show is gone later."""

HISTOGRAMS = 8
"""How many windows lie between two with histograms, beside those that double."""

PENDING = 1024
"""When so much waits on devices, a loss counting 1 and a window 64, it comes to the host."""


class Watch(Telling):
    """Probes of a training run, and a diagnosis from them.

    ::

        watch = gradwright.observe.Watch(model, optimizer, every=10)
        for inputs, targets in loader:
            outputs = model(inputs)
            loss = loss_function(outputs, targets)
            optimizer.zero_grad(); loss.backward(); optimizer.step()
            watch.step(loss, outputs=outputs, targets=targets)
        for finding in watch.findings():
            print(finding)

    The first 20 steps are watched, then every ``every``-th. On these, even samples of each parameter are taken before
    and after the optimizer's step, and hooks look at what layers make. Numbers stay on their devices; they come to the
    host when :meth:`record` or :meth:`findings` is called, and when the waiting ones are many. At other steps a hook
    looks at a flag, and the loss is kept.

    Any ``torch.optim.Optimizer`` will do, several at once, wrapped models (DDP, FSDP2, ``torch.compile``) as well; of
    compiled models only what goes in and comes out is observed. Under FSDP2 all ranks have to watch. Steps that are
    replayed from a CUDA graph call no hooks and leave no probes.

    Args:
        model: whose training is watched.
        optimizer: one, or several.
        every: how many steps lie between two that are watched, at least 1.
        scaler: the ``GradScaler``, where there is one.
        activations: whether hooks look at what layers make, on watched steps.
        sample: the most entries of a parameter that are looked at; small ones are looked at whole.
        to: a logger to which the numbers of watched steps go, as :meth:`to` takes it.

    Raises:
        TypeError: ``model``, ``optimizer`` or ``scaler`` is something else.
        ValueError: ``every`` or ``sample`` is below 1.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer | Iterable[torch.optim.Optimizer],
        every: int = 10,
        *,
        scaler: Any = None,
        activations: bool = True,
        sample: int = 4096,
        to: Target | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(model, nn.Module):
            raise TypeError(f"Watch: model is a {type(model).__name__}; give the torch.nn.Module that is trained")
        for name, value in (("every", every), ("sample", sample)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"Watch: {name}={value!r} must be a whole number from 1 on")
        if scaler is not None and not hasattr(scaler, "get_scale"):
            raise TypeError(f"Watch: scaler is a {type(scaler).__name__}; give the torch.amp.GradScaler")
        self.model, self.optimizers, self.every, self.scaler = model, _listed(optimizer), every, scaler
        compiled = hasattr(model, "_orig_mod") or getattr(model, "_compiled_call_impl", None) is not None
        self._record = Record(activations=activations and not compiled)
        self._steps = StepObserver(self.optimizers, sample, self._stepped)
        self._forward = ForwardObserver(model, inside=self._record.activations)
        self._modes = ModeObserver(model, self.optimizers)
        self._clearing = ClearingObserver(self.optimizers)
        self._data, self._pending = DataObserver(), Pending()
        self._last_watched = self._windows = 0
        self._has_stepped = self._had_stepped = self._broken = self._closed = False
        self._prepare()
        if to is not None:
            self.to(to)

    def step(self, loss: Tensor | float | None = None, outputs: Any = None, targets: Any = None) -> None:
        """Call this once after each step of the optimizer.

        Args:
            loss: of this step, a single number; on a GPU it stays there.
            outputs: of the model for this batch: class scores, where there are classes. What the model itself returned
                is taken where none are given.
            targets: what they should be: class indices, of the shape that ``torch.nn.functional.cross_entropy`` takes,
                or numbers.

        Raises:
            ValueError: the loss is not a single number.
            TypeError: outputs or targets hold no tensor.
        """
        if self._closed:
            return
        value, outputs, targets = _single(loss), _tensor(outputs, "outputs"), _tensor(targets, "targets")
        self._record.steps = step = self._record.steps + 1
        if value is not None:
            self._pending.losses.append((step, value))
        broken = _known_broken(value) and not self._broken
        self._broken |= broken
        watched = self._steps.watching
        if targets is not None:
            self._data.add(outputs if outputs is not None else self._forward.outputs, targets)
        if watched or broken:
            self._look(step, outputs, targets, watched)
        self._had_stepped, self._has_stepped = self._has_stepped, False
        self._prepare(soon=broken)
        if len(self._pending) > PENDING:
            self.record()

    def validation(self, value: Tensor | float) -> None:
        """Tell a validation loss, lower being better, right after the model was evaluated.

        Args:
            value: a single number.

        Raises:
            ValueError: it is not a single number.
        """
        found = _single(value)
        if found is None:
            raise ValueError("Watch.validation: value is None; give the validation loss")
        if not self._closed:
            modes = self._modes
            self._pending.validations.append((self._record.steps, found, modes.wrong_mode, modes.wrong_weights))
            modes.clear()

    def record(self) -> Record:
        """All that is known so far; brings what waits on devices to the host."""
        windows = self._pending.move_to(self._record)
        self._record.data = self._data.read()
        for window in windows:
            self._tell(window, self._record)
        return self._record

    def findings(self) -> list[Finding]:
        """What is wrong, the most certain cause first; empty where nothing is."""
        return diagnose(self.record())

    def close(self) -> None:
        """Take all hooks away. What is known stays; later calls of :meth:`step` do nothing."""
        self._tell_end(self.record())
        self._closed = True
        for observer in (self._steps, self._forward, self._modes, self._clearing):
            observer.close()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def _prepare(self, soon: bool = False) -> None:
        """Before the next step: is it watched, or the one before a watched one?"""
        upcoming = self._record.steps + 1
        self._steps.step = upcoming
        self._steps.watching = soon or self._due(upcoming)
        self._steps.listening = self._due(upcoming + 1)
        if self._steps.watching:
            self._forward.listen()
            self._clearing.listen()

    def _due(self, step: int) -> bool:
        return step <= EARLY_STEPS or step % self.every == 0

    def _stepped(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer has taken a step."""
        self._has_stepped = True
        self._modes.clear()
        which = self.optimizers.index(optimizer)
        for index, group in enumerate(optimizer.param_groups):
            if (rate := _rate(group.get("lr"))) is not None:
                self._pending.rates.append((self._groups[which, index], self._record.steps + 1, rate))

    @property
    def _groups(self) -> dict[tuple[int, int], str]:
        count = sum(len(optimizer.param_groups) for optimizer in self.optimizers)
        found: dict[tuple[int, int], str] = self.__dict__.setdefault("_group_names", {})
        if len(found) != count:
            found.clear()
            found.update(group_names(self.optimizers))
        return found

    @torch.no_grad()
    def _look(self, step: int, outputs: Tensor | None, targets: Tensor | None, watched: bool) -> None:
        """A watched step, or one whose loss is not finite: gather what hooks have seen."""
        names = names_of(self.model, self.optimizers)
        self._record.parameters = held_by_name(self.model, self.optimizers, names)
        self._note_settings()
        self._steps.bystanders([param for param in names if param.requires_grad])
        found = self._steps.finish()
        self._windows += 1
        kept = self._windows & (self._windows - 1) == 0
        measured = measure(found, self._steps.past, names, step, histograms=kept or self._windows % HISTOGRAMS == 0)
        layers = self._forward.finish() if watched else {}
        if self._forward.inputs is not None:
            self._data.add_inputs(self._forward.inputs, targets)
        outputs = outputs if outputs is not None else self._forward.outputs
        batch = classified(outputs, targets) if outputs is not None and targets is not None else None
        cleared = self._clearing.finish()
        if self.scaler is not None and getattr(self.scaler, "_scale", None) is not None:
            self._pending.scales.append((step, self.scaler._scale.clone()))
        self._pending.windows.append(
            PendingWindow(
                step,
                step - self._last_watched,
                tuple(names.values()),
                measured,
                layers,
                batch,
                cleared if self._had_stepped and self._has_stepped else [],
                not self._has_stepped,
                kept,
            )
        )
        self._last_watched = step

    def _note_settings(self) -> None:
        for (which, index), name in self._groups.items():
            group = self.optimizers[which].param_groups[index]
            found = {key: number(value) for key, value in group.items() if key != "params"}
            self._record.settings[name] = {key: value for key, value in found.items() if value is not None}


def _listed(optimizer: Any) -> list[torch.optim.Optimizer]:
    found = [optimizer] if isinstance(optimizer, torch.optim.Optimizer) else optimizer
    if isinstance(found, dict):
        found = found.values()
    if not isinstance(found, Iterable):
        raise TypeError(f"Watch: optimizer is a {type(optimizer).__name__}; give a torch.optim.Optimizer, or several")
    optimizers = list(found)
    strange = next((each for each in optimizers if not isinstance(each, torch.optim.Optimizer)), None)
    if strange is not None or not optimizers:
        what = "nothing" if not optimizers else f"a {type(strange).__name__}"
        raise TypeError(f"Watch: optimizer holds {what}; give a torch.optim.Optimizer, or several")
    return optimizers


def _single(value: Any) -> Tensor | float | None:
    if value is None:
        return None
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise ValueError(f"Watch: a loss of shape {tuple(value.shape)} is no single number; give its mean")
        value = value.detach()
        value = value.full_tensor() if hasattr(value, "full_tensor") else value
        return value.clone() if value.device.type != "cpu" else float(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"Watch: a loss must be a single number, got a {type(value).__name__}") from None


def _tensor(value: Any, name: str) -> Tensor | None:
    if value is None:
        return None
    found = first_tensor(value)
    if found is None:
        raise TypeError(
            f"Watch.step: {name} is a {type(value).__name__} without a tensor; give the tensor, or leave it out"
        )
    return found.detach()


def _known_broken(value: Tensor | float | None) -> bool:
    """Whether a loss is not finite, as far as that is known without waiting for a device."""
    return isinstance(value, float) and not math.isfinite(value)


def _rate(value: Any) -> Tensor | float | None:
    if isinstance(value, Tensor) and value.device.type != "cpu":
        return value.detach().clone()
    return number(value)
