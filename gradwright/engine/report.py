"""Report: which kernels an optimizer's tensors run through, what they move, and what runs on plain torch and why."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gradwright.core import HostScalar, Slot
from gradwright.engine import select
from gradwright.engine.collective import is_spread
from gradwright.engine.cpp.printer import print_cpp
from gradwright.engine.graph.explain import explain
from gradwright.engine.graph.shards import over_shards
from gradwright.engine.graph.symbol import Untraceable
from gradwright.engine.graph.trace import trace
from gradwright.engine.layout import layout_of, served_apart
from gradwright.engine.operand import Source
from gradwright.engine.plan import planned
from gradwright.engine.program import Opaque, Program, Reduce
from gradwright.engine.step import GroupStep
from gradwright.engine.triton.printer import print_triton

_GATHERED = "it is spread over ranks in a way that no part serves, so that each gathers and computes all of it"
PRINTERS = {"cpp": print_cpp, "triton": lambda program: print_triton(program).source}


def report(step: GroupStep, engine: str, source: bool = False) -> str:
    """One group's equations, and how its parameters run at the next step, each on its device.

    Args:
        step: the group's parameters and chain.
        engine: what the optimizer asks for.
        source: append the printed kernels.
    """
    lines = _equations(step)
    sources: list[str] = []
    for (kind, device), members in _alike(step).items():
        count = sum(step.params[at].numel() for at in members)
        chosen = select.chosen(engine, device)
        where = "" if device.type == "cpu" else f" on {device}"
        lines.append(f"{len(members)} tensors{where}, {count:,} numbers: {kind}")
        if why := _without_kernels(step.params[members[0]], engine, chosen):
            lines.append(f"  plain torch, one tensor after another: {why}")
            continue
        try:
            program = _program(step, members[0])
            if not served_apart(step.params[members[0]], program):
                lines.append(f"  plain torch, one tensor after another: {_GATHERED}")
                continue
            printed = PRINTERS[chosen](program) if chosen in PRINTERS else ""
        except Untraceable as why:
            lines.append(f"  plain torch, one tensor after another: the graph has no word for {why}")
            continue
        spread = any(is_spread(step.params[at]) for at in members)
        lines += [f"  {line}" for line in (_held(step, members[0]), *_phases(program, spread))]
        sources += [printed] if printed and printed not in sources else []
    return "\n".join([*lines, *(sources if source else [])])


def _without_kernels(param: Tensor, engine: str, chosen: str) -> str:
    """Why no kernel serves a parameter, whatever its chain; empty where one may."""
    if select.asked(engine) == "eager":
        return "engine is 'eager'"
    if is_spread(param) and param.is_complex():
        return _GATHERED
    return f"no kernels serve {param.device} here" if chosen == "eager" else ""


def _program(step: GroupStep, at: int) -> Program:
    spec, state = step.spec_of(step.params[at]), step.states[at]
    numbers = {**step.chain.knobs(), "step": state.get("step", 0.0) + 1.0, "clock": step.clock}
    slots = step.chain.slots(spec).items()
    numbers |= {key: state.get(key, slot.start) for key, slot in slots if isinstance(slot, HostScalar)}
    layout = layout_of(step.params[at])
    cuts = frozenset() if layout is None else layout.dims
    return planned(over_shards(trace(step.chain, spec, numbers), cuts), spec, step.maximize)


def _held(step: GroupStep, at: int) -> str:
    """What a parameter and its state take."""
    spec = step.spec_of(step.params[at])
    slots = [(key, slot) for key, slot in step.chain.slots(spec).items() if isinstance(slot, Slot)]
    held = sum(slot.nbytes_for(spec) for _, slot in slots if not slot.shared) / spec.numel
    weights = spec.weights.nbytes(spec.shape) / spec.numel
    formats = "; ".join(f"{key}: {slot.storage_for(spec)}" for key, slot in slots if slot.full_size)
    return f"holds {held:.4g} bytes of state per number{f' ({formats})' if formats else ''}, weights {weights:g}"


def _phases(program: Program, spread: bool) -> list[str]:
    moved = bytes_per_number(program)
    sweeps = "1 sweep" if program.last == 0 else f"{program.last + 1} sweeps"
    lines, sweep = [f"kernel: {sweeps}, {moved:g} bytes per number"], 0
    for phase in program.phases:
        if isinstance(phase, Opaque):
            lines.append(f"then {phase.link} as plain torch, batched over equal shapes")
        elif isinstance(phase, Reduce):
            if phase.reductions and spread:
                lines.append("then what it reduced is completed over the ranks that hold parts of a tensor")
            if phase.totals:
                lines.append(f"then the parts of {', '.join(phase.totals)} are summed over all parameters")
        else:
            done = [f"completes {len(phase.reductions)} reductions"] if phase.reductions else []
            stored = [name for name in phase.stores if program.operand(name).source is not Source.SUM]
            handed = len(phase.stores) > len(stored)
            names = ("what the next link takes" if _waits(program, name) else name for name in stored)
            done += ["hands over the parts of totals"] if handed else []
            done += [f"writes {', '.join(names)}"] if stored else []
            lines.append(
                f"  sweep {sweep + 1}: reads {', '.join(program.reads(sweep)) or 'no tensor'}; {'; '.join(done)}"
            )
            sweep += 1
    return lines


def _waits(program: Program, name: str) -> bool:
    return program.operand(name).source is Source.BETWEEN


def bytes_per_number(program: Program) -> float:
    """What a step reads and writes for each number of a parameter."""
    many = 2**20
    sizes = {one.name: one.storage.nbytes((many,)) / many for one in program.operands}
    return sum(times * sizes[name] for name, times in program.traffic.items())


def _alike(step: GroupStep) -> dict[tuple[str, torch.device], list[int]]:
    """The parameters by what they compute and where."""
    groups: dict[tuple[str, torch.device], list[int]] = {}
    for at, param in enumerate(step.params):
        if param.numel():
            groups.setdefault((_kind(param, step), param.device), []).append(at)
    return groups


def _kind(param: Tensor, step: GroupStep) -> str:
    spec = step.spec_of(param)
    shape: Sequence[int] = spec.shape
    form = {0: "single numbers", 1: "vectors"}.get(len(shape), "x".join(map(str, shape)))
    spread = ", distributed" if is_spread(param) else ""
    return f"{form}, {str(spec.dtype).removeprefix('torch.')}{spread}"


def _equations(step: GroupStep) -> list[str]:
    """The equations of a group's first parameter; none where it runs on plain torch, of which the report tells."""
    if not step.params:
        return []
    try:
        return [f"  {line}" for line in explain(step.chain, step.spec_of(step.params[0])).equations]
    except Untraceable:
        return []
