"""The loss of a step, for recipes that need it, where a trainer calls backward and step on its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils.hooks import RemovableHandle

from gradwright.optimizer.optimizer import Optimizer


def needs_loss(optimizer: Any) -> bool:
    """Whether a recipe of an optimizer reads the loss of a step."""
    return isinstance(optimizer, Optimizer) and any(
        "loss" in optimizer.chain_of(group).all_needs for group in optimizer.param_groups
    )


def give_loss(optimizer: Optimizer, known: Callable[[], Tensor | None]) -> RemovableHandle:
    """Have each step of an optimizer told its loss, whoever calls it and in whichever way.

    A loss that the caller gives counts; else what ``known`` says once the closure, where there is one, has run; else
    what the closure returns. So `step(closure, loss=...)`, which a trainer makes of a user's `step(loss=...)`, means
    that loss.

    Args:
        optimizer: whose steps.
        known: the loss of the step to come, or ``None``.

    Returns:
        A handle whose ``remove()`` ends it.
    """

    def with_loss(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        # torch hands its hooks all arguments of the method, the optimizer itself first
        closure = args[1] if len(args) > 1 else kwargs.get("closure")
        rest = {key: value for key, value in kwargs.items() if key not in ("closure", "loss")}
        given = kwargs.get("loss")
        if closure is None or rest.get("scaler") is not None:
            loss = known() if given is None and closure is None else given
            return args, {**kwargs, **({} if loss is None else {"loss": loss})}

        def told() -> Any:
            value = closure()
            loss = known() if given is None else given
            return value if loss is None else loss

        return (optimizer, told), rest

    return optimizer.register_step_pre_hook(with_loss)
