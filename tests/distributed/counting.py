"""What ranks send to one another, seen where torch hands it to a process group."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class Message(NamedTuple):
    """One collective of one rank.

    Attributes:
        what: the name of torch's operation, without its namespace.
        payload: the bytes of what this rank puts in.
        away: of these, the bytes that go to other ranks; for a reduction all of them.
    """

    what: str
    payload: int
    away: int


class Counted(TorchDispatchMode):
    """Within this block every collective is written down in ``messages``, whoever calls it."""

    def __init__(self, me: int) -> None:
        super().__init__()
        self.me = me
        self.messages: list[Message] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        space, _, name = func._schema.name.partition("::")
        if space in ("c10d", "_c10d_functional") and name not in ("wait_tensor", "_wrap_tensor_autograd", "barrier"):
            self.messages.append(self._message(name.rstrip("_"), args))
        return func(*args, **(kwargs or {}))

    def _message(self, name: str, args: tuple[Any, ...]) -> Message:
        if name == "alltoall_base":
            sent, splits = args[1], args[4]
            each = sent.element_size() * sent[0:1].numel()
            return Message(name, sent.nbytes, each * (sum(splits) - splits[self.me]))
        payload = sum(one.nbytes for one in _tensors(args[0]))
        return Message(name, payload, payload)


def _tensors(given: Any) -> list[Tensor]:
    return [given] if isinstance(given, Tensor) else [one for some in given for one in _tensors(some)]
