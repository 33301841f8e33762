"""Metric: gathered batch by batch, on several machines if need be, and read at the end."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

_M = TypeVar("_M", bound="Metric")


class Metric:
    """``update`` with each batch, ``merge`` other instances or ``sync`` ranks, ``compute`` at the end.

    State is a dictionary of float64 tensors in ordinary memory: sums, or samples.
    """

    state: dict[str, Tensor]

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.state = self._nothing()
        self._synced = False

    def _nothing(self) -> dict[str, Tensor]:
        """The state before the first batch."""
        raise NotImplementedError

    def update(self, predictions: Tensor, target: Tensor) -> Any:
        """Add a batch."""
        raise NotImplementedError

    def compute(self) -> Any:
        """The value of everything so far."""
        raise NotImplementedError

    def merge(self: _M, *others: _M) -> _M:
        """Add what other instances with the same settings have gathered.

        Raises:
            TypeError: another metric.
            ValueError: other settings.
        """
        for other in others:
            if type(other) is not type(self):
                raise TypeError(f"a {type(other).__name__} cannot be merged into a {type(self).__name__}")
            if self._settings() != other._settings():
                raise ValueError(f"{other._settings()} cannot be merged into {self._settings()}; make them alike")
            for name, value in other.state.items():
                (self._append if name == "samples" else self._accumulate)(name, value)
        return self

    def sync(self: _M, group: Any = None) -> _M:
        """Merge the instances of all ranks of ``torch.distributed`` into each; nothing without it.

        All ranks hold the same numbers afterwards, to the last bit, whatever batches each of them saw, if any. Call it
        once, after the last batch: what follows has to begin with ``reset``.

        Args:
            group: of ranks; None: all.

        Raises:
            RuntimeError: it was called before. What all ranks hold would be counted once for each of them.
        """
        if self._synced:
            raise RuntimeError(
                "sync() was called before, so this rank holds the samples of all; reset() to begin again"
            )
        if dist.is_available() and dist.is_initialized() and dist.get_world_size(group) > 1:
            states: list[Any] = [None] * dist.get_world_size(group)
            dist.all_gather_object(states, self.state, group)
            self.reset()
            self._synced = True
            for state in states:
                for name, value in state.items():
                    (self._append if name == "samples" else self._accumulate)(name, value)
        return self

    def state_dict(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.state.items()}

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> None:
        self.state = {name: state_dict[name].clone() for name in self.state}

    def _settings(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("state", "_synced")}

    def _accumulate(self, name: str, value: Tensor) -> None:
        """Add to a sum, whose first batch settles its shape."""
        if not value.numel():  # from a rank or an instance that has seen nothing
            return
        old, value = self.state[name], value.cpu()
        if old.numel() and old.shape != value.shape:
            raise ValueError(f"this batch has {len(value)} classes; earlier ones had {len(old)}")
        self.state[name] = old + value if old.numel() else value

    def _append(self, name: str, value: Tensor) -> None:
        """Keep samples."""
        if not value.numel():
            return
        old, value = self.state[name], value.cpu()
        if old.numel() and old.shape[1:] != value.shape[1:]:
            raise ValueError(f"this batch has {value.shape[1]} classes; earlier ones had {old.shape[1]}")
        self.state[name] = torch.cat([old, value]) if old.numel() else value
