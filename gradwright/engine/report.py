"""Report: which kernels an optimizer's tensors run through, what they move, and what runs on plain torch and why."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from gradwright.core import Number, Slot
from gradwright.engine.cpp import print_cpp
from gradwright.engine.job import Share
from gradwright.engine.layout import layout_of
from gradwright.engine.plan import Plan, plans
from gradwright.engine.symbol import Untraceable
from gradwright.engine.trace import trace


def report(share: Share, source: bool = False) -> str:
    """One group's kernels as the C++ engine runs them at the next step.

    Args:
        share: the group's parameters and chain.
        source: append the printed kernels.
    """
    lines: list[str] = []
    sources: list[str] = []
    for kind, members in _alike(share):
        count = sum(share.params[at].numel() for at in members)
        lines.append(f"{len(members)} tensors, {count:,} numbers: {kind}")
        spec, state = share.spec_of(share.params[members[0]]), share.states[members[0]]
        numbers = {**share.chain.knobs(), "step": state["step"] + 1.0, "clock": share.clock}
        numbers |= {key: state[key] for key, slot in share.chain.slots(spec).items() if isinstance(slot, Number)}
        try:
            made = plans(trace(share.chain, spec, numbers))
            printed = [print_cpp(one, layout_of(share.chain, spec, one, share.maximize)) for one in made]
        except Untraceable as why:
            lines.append(f"  plain torch, one tensor after another: the graph has no word for {why}")
            continue
        slots = share.chain.slots(spec).items()
        sizes = {name: slot.dtype_for(spec).itemsize for name, slot in slots if isinstance(slot, Slot)}
        for one in made:
            lines += [f"  {line}" for line in _kernel_lines(one, sizes, spec.dtype.itemsize)]
        sources += [text for text in printed if text not in sources]
    return "\n".join([*lines, *(sources if source else [])])


def _kernel_lines(made: Plan, sizes: dict[str, int], own: int) -> list[str]:
    moved = sum(times * sizes.get(name, own) for name, times in made.traffic.items())
    sweeps = "1 sweep" if made.last == 0 else f"{made.last + 1} sweeps"
    lines = [f"kernel: {sweeps}, {moved} bytes per number"]
    for index in range(made.last + 1):
        done = [f"completes {len(made.sweeps[index])} reductions"] if index < made.last else []
        stored = [name for name in made.stores if made.early.get(name, made.last) == index]
        if made.asks and index == made.last:
            done.append(f"hands over the parts of {', '.join(made.asks)}")
        elif stored:
            done.append(f"writes {', '.join('what the next link takes' if name == '@' else name for name in stored)}")
        lines.append(f"  sweep {index + 1}: reads {', '.join(made.reads(index)) or 'no tensor'}; {'; '.join(done)}")
    if made.asks:
        lines.append("then these are summed over all parameters")
    if made.feeds is not None:
        lines.append(f"then {made.feeds} as plain torch, batched over equal shapes")
    return lines


def _alike(share: Share) -> list[tuple[str, list[int]]]:
    """The parameters by what they compute, described."""
    groups: dict[str, list[int]] = {}
    for at, param in enumerate(share.params):
        if param.numel():
            groups.setdefault(_kind(param, share), []).append(at)
    return list(groups.items())


def _kind(param: Tensor, share: Share) -> str:
    spec = share.spec_of(param)
    shape: Sequence[int] = spec.shape
    form = {0: "single numbers", 1: "vectors"}.get(len(shape), "x".join(map(str, shape)))
    return f"{form}, {str(spec.dtype).removeprefix('torch.')}"
