"""Describe: what an optimizer says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from torch.nn.parameter import is_lazy

from gradwright.core.second_look import SecondLook
from gradwright.engine import GroupStep, select
from gradwright.engine.report import report
from gradwright.optimizer import groups

if TYPE_CHECKING:
    from gradwright.optimizer.optimizer import Optimizer


def explanation(optimizer: Optimizer, source: bool) -> str:
    """What a step runs, group by group.

    Args:
        optimizer: whose step.
        source: append the printed kernels.
    """
    texts = []
    for index, group in enumerate(optimizer.param_groups):
        chain, params = optimizer.chain_of(group), [param for param in group["params"] if not is_lazy(param)]
        states = [optimizer.state.get(param, {}) for param in params]
        nowhere = cast(Any, None)  # nothing is read or written
        clock, maximize = group["clock"] + 1.0, group["maximize"]
        step = GroupStep(params, states, None, chain, optimizer.spec_of, clock, None, maximize, nowhere)
        engines = sorted({select.chosen(optimizer.engine, param.device) for param in params})
        heading = f"group {index}: {group['recipe']}, engine {' and '.join(engines) or optimizer.engine}"
        twice = [link for link in chain.links if isinstance(link, SecondLook)]
        texts.append("\n".join([heading, *map(_second_look, twice), report(step, optimizer.engine, source)]))
    return "\n\n".join(texts)


def _second_look(link: SecondLook) -> str:
    return f"  looks twice: {link.gradients:g} gradients a step; g is what {type(link).__name__} makes of them"


def summary(optimizer: Optimizer) -> str:
    """The groups with their sizes and hyper-parameters.

    Args:
        optimizer: whose groups.
    """
    lines = [f"{type(optimizer).__name__} ("]
    for index, group in enumerate(optimizer.param_groups):
        shaped = [param for param in group["params"] if not is_lazy(param)]
        count, lacking = sum(param.numel() for param in shaped), len(group["params"]) - len(shaped)
        lazy = f", {lacking} without a shape yet" if lacking else ""
        lines.append(f"  group {index}: {group['recipe']}, {len(group['params'])} tensors, {count:,} numbers{lazy}")
        lines.extend(f"    {key}: {group[key]}" for key in groups.telling(group))
    return "\n".join([*lines, ")"])
