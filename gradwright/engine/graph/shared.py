"""The shared program of a step: what depends on the loss or on shared slots, in double on the device.

The host never learns these values, so it never waits for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gradwright.engine.graph.graph import Graph
from gradwright.engine.graph.symbol import Untraceable
from gradwright.engine.operand import HOST
from gradwright.engine.ops import OPERATIONS


def host_arguments(graph: Graph, outputs: Iterable[int]) -> list[int]:
    """The host values that a shared program for ``outputs`` starts from."""
    return [at for at in _ordered(graph, outputs) if graph.nodes[at].kind == HOST and graph.nodes[at].op != "const"]


def compile_shared(graph: Graph, outputs: Sequence[int]) -> Callable[[Mapping[int, Tensor], Mapping[str, Any]], Any]:
    """A function from host values (by node) and shared inputs (by name) to the values of ``outputs``.

    All are float64 tensors on one device, one number each or one for each tensor of a bucket.

    Raises:
        Untraceable: an operation has no word here.
    """
    order = _ordered(graph, outputs)
    for at in order:
        node = graph.nodes[at]
        if node.kind != HOST and node.op not in OPERATIONS and node.op != "input":
            raise Untraceable(f"{node.op} of shared values")
    constants: dict[tuple[int, torch.device], Tensor] = {}

    def constant(at: int, device: torch.device) -> Tensor:
        if (at, device) not in constants:
            constants[at, device] = torch.full((), graph.nodes[at].data, dtype=torch.float64, device=device)
        return constants[at, device]

    def program(host: Mapping[int, Tensor], shared: Mapping[str, Tensor]) -> list[Tensor]:
        device = next(iter(shared.values())).device
        known: dict[int, Tensor] = {}
        for at in order:
            op, args, data, kind = graph.nodes[at]
            if op == "const":
                known[at] = constant(at, device)
            elif kind == HOST:
                known[at] = host[at] != 0 if graph.nodes[at].is_bool else host[at]
            elif op == "input":
                known[at] = shared[data]
            else:
                known[at] = OPERATIONS[op].torch(*(known[arg] for arg in args))
        return [known[at].to(torch.float64) for at in outputs]

    return program


def _ordered(graph: Graph, outputs: Iterable[int]) -> list[int]:
    """What ``outputs`` depend on, in order, not looking behind host values."""
    return graph.needed(outputs, lambda at: graph.nodes[at].kind == HOST)
