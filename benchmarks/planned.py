"""What a recipe's program says about its step: the bytes it moves for each number, and the functions it computes."""

from __future__ import annotations

from typing import Any

from gradwright.core import HostScalar, ParamSpec
from gradwright.engine.graph.symbol import Untraceable
from gradwright.engine.graph.trace import trace
from gradwright.engine.operand import ELEMENT
from gradwright.engine.plan import planned
from gradwright.engine.program import Program

TRANSCENDENTAL = frozenset({"exp", "log", "atan2", "tanh", "pow", "log1p", "expm1"})


def program_of(recipe: Any, knobs: dict[str, Any], shape: tuple[int, ...] = (64, 64)) -> Program:
    """The program of a step after the first.

    Raises:
        Untraceable: it runs on plain torch.
    """
    chain, spec = recipe.chain(**knobs), ParamSpec(shape)
    numbers = {key: slot.start for key, slot in chain.slots(spec).items() if isinstance(slot, HostScalar)}
    return planned(trace(chain, spec, {**chain.knobs(), **numbers, "step": 2.0, "clock": 2.0}), spec)


def bytes_per_number(recipe: Any, knobs: dict[str, Any] | None = None) -> int:
    """How many bytes of float32 the program reads and writes for each number of a parameter."""
    return 4 * sum(program_of(recipe, knobs or {}).traffic.values())


def read_and_written(recipe: Any, knobs: dict[str, Any] | None = None) -> tuple[int, int]:
    """How many bytes of float32 the program reads for each number of a parameter, and how many it writes."""
    program = program_of(recipe, knobs or {})
    written = 4 * sum(len(program.writes(sweep)) for sweep in range(len(program.sweeps)))
    return bytes_per_number(recipe, knobs) - written, written


def functions(recipe: Any, knobs: dict[str, Any] | None = None) -> frozenset[str]:
    """The operations that are computed for each entry."""
    program = program_of(recipe, knobs or {})
    nodes = {at for sweep in range(len(program.sweeps)) for at in program.nodes(sweep)}
    return frozenset(program.graph.nodes[at].op for at in nodes if program.graph.nodes[at].kind == ELEMENT)


def bar_for(recipe: Any, knobs: dict[str, Any] | None = None) -> float:
    """How much longer than torch's fused AdamW an elementwise step may take, byte for byte."""
    computed = functions(recipe, knobs)
    if "softplus" in computed:
        return 1.8
    if computed & TRANSCENDENTAL:
        return 1.25
    return 1.15 if bytes_per_number(recipe, knobs) <= 12 else 1.05


def is_planned(recipe: Any, knobs: dict[str, Any] | None = None) -> bool:
    """Whether the recipe runs as kernels at all."""
    try:
        program_of(recipe, knobs or {})
    except Untraceable:
        return False
    return True
