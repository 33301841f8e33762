"""Program: a step as phases over operands, made once for each chain and kind of tensor, run by every engine.

A sweep reads its inputs anew and recomputes what it needs, so nothing is written that a later sweep reads: there is no
hazard between sweeps. Weights and state are written behind the last interruption, so that a step is all or nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from gradwright.engine.graph.graph import Graph, Node
from gradwright.engine.operand import ELEMENT, TENSOR, Folding, Operand, Source, made_by
from gradwright.engine.ops import OPAQUE


@dataclass(frozen=True)
class Sweep:
    """One pass over the entries of a tensor.

    Attributes:
        reductions: the sums and largest entries that it completes.
        stores: the values that it writes, by operand; for ``param`` the value to subtract from it.
    """

    reductions: tuple[int, ...]
    stores: dict[str, int]


@dataclass(frozen=True)
class Reduce:
    """What sweeps left is added up: a tensor's reductions over its shards, and totals over all parameters.

    Attributes:
        reductions: the nodes that the sweep before completed for this rank's part of each tensor.
        totals: for each total its operands, which are also the host inputs that its sums become.
    """

    reductions: tuple[int, ...]
    totals: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Opaque:
    """A link of the chain that runs as plain torch between two sweeps."""

    link: str


Phase = Sweep | Reduce | Opaque


@dataclass(frozen=True)
class Segment:
    """Sweeps that run without an interruption, and what interrupts them then: totals, or links, or nothing."""

    first: int
    last: int
    totals: dict[str, tuple[str, ...]]
    links: tuple[str, ...]


@dataclass(frozen=True)
class Program:
    """What a step does to one kind of tensor.

    Attributes:
        graph: all values.
        phases: what is done, in order.
        operands: the arrays that are read and written.
        host: the host and shared nodes that kernels take as scalars, one row a tensor.
        numbers: the new value of each HostScalar, a host node.
        shared: the new value of each shared slot, a shared node.
        folding: what the rows are, where rows or columns occur.
        computing: the type of the arithmetic.
        maximize: whether gradients are read with the other sign.
    """

    graph: Graph
    phases: tuple[Phase, ...]
    operands: tuple[Operand, ...]
    host: tuple[int, ...]
    numbers: dict[str, int]
    shared: dict[str, int]
    folding: Folding | None
    computing: torch.dtype
    maximize: bool

    @cached_property
    def sweeps(self) -> tuple[Sweep, ...]:
        return tuple(phase for phase in self.phases if isinstance(phase, Sweep))

    def sizes(self, params: Sequence[Tensor]) -> list[tuple[int, int]]:
        """Rows and columns of tensors; one row where nothing asks for rows."""
        return [self._size(tuple(param.shape)) for param in params]

    def counts(self, params: Sequence[Tensor], whole: Sequence[tuple[int, ...]] | None) -> np.ndarray:
        """For each tensor how many entries, rows and columns all of it has, of which this rank may hold a part."""
        shapes = [tuple(param.shape) for param in params] if whole is None else whole
        return np.array([(math.prod(shape), *self._size(shape)) for shape in shapes], np.int64).reshape(-1, 3)

    def _size(self, shape: tuple[int, ...]) -> tuple[int, int]:
        return (1, math.prod(shape)) if self.folding is None else self.folding.sizes(shape)

    @property
    def last(self) -> int:
        """The index of the last sweep."""
        return len(self.sweeps) - 1

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """The phases as one rank runs them, whose reductions are whole when their sweep ends."""
        found: list[Segment] = []
        first = count = 0
        totals: dict[str, tuple[str, ...]] = {}
        links: list[str] = []
        for phase in (*self.phases, None):
            if isinstance(phase, Reduce):
                totals |= phase.totals
            elif isinstance(phase, Opaque):
                links.append(phase.link)
            else:
                if totals or links or phase is None:
                    found.append(Segment(first, count - 1, totals, tuple(links)))
                    first, totals, links = count, {}, []
                count += 1
        return tuple(found)

    @cached_property
    def asking(self) -> tuple[Segment, ...]:
        """The segments that end with totals, which all parameters run before any goes on."""
        return tuple(segment for segment in self.segments if segment.totals)

    @cached_property
    def ending(self) -> tuple[Segment, ...]:
        """The segments behind them."""
        return tuple(segment for segment in self.segments if not segment.totals)

    @cached_property
    def links(self) -> tuple[str, ...]:
        """The links that run as plain torch."""
        return tuple(phase.link for phase in self.phases if isinstance(phase, Opaque))

    @cached_property
    def sums(self) -> tuple[str, ...]:
        """The parts of totals, in the order in which they are asked for."""
        return tuple(key for segment in self.asking for keys in segment.totals.values() for key in keys)

    @cached_property
    def reductions(self) -> tuple[int, ...]:
        """The reductions that need a sweep, in the order of their sweeps."""
        return tuple(at for sweep in self.sweeps for at in sweep.reductions)

    @cached_property
    def stores(self) -> dict[str, int]:
        """All values that are written, by operand."""
        return {name: at for sweep in self.sweeps for name, at in sweep.stores.items()}

    def of(self, *kinds: int) -> tuple[Operand, ...]:
        """The operands of these kinds."""
        return tuple(one for one in self.operands if one.kind in kinds)

    def operand(self, name: str) -> Operand:
        return next(one for one in self.operands if one.name == name)

    @cached_property
    def arrays(self) -> tuple[str, ...]:
        """The arrays that hold the operands, in the order of the rows of tables of pointers."""
        return tuple(array for one in self.operands for array in one.arrays)

    def row(self, array: str) -> int:
        """The row of an array in tables of pointers."""
        return self.arrays.index(array)

    @cached_property
    def grouped(self) -> bool:
        """Whether neighbours in a row share a scale in an operand."""
        return any(one.storage.grouped for one in self.operands)

    @cached_property
    def random(self) -> bool:
        """Whether a value is rounded by random bits when it is stored."""
        return any(one.storage.random for one in self.operands if one.name in self.stores)

    @cached_property
    def in_order(self) -> bool:
        """Whether the place of an entry in its tensor matters, so that tensors have to be contiguous."""
        return self.folding is not None or any(one.storage.in_order for one in self.operands)

    @cached_property
    def states(self) -> tuple[str, ...]:
        """The slots that are read or written."""
        return tuple(one.name for one in self.operands if one.source is Source.STATE)

    def nodes(self, sweep: int) -> list[int]:
        """What a sweep computes: back to inputs, host scalars and reductions that an earlier sweep finished."""
        nodes, own = self.graph.nodes, self.sweeps[sweep]
        wanted = [*own.stores.values(), *(nodes[at].args[0] for at in own.reductions)]
        return [at for at in reached(self.graph, wanted, self.reductions) if nodes[at].kind >= TENSOR]

    def reads(self, sweep: int) -> list[str]:
        """The full-size operands that a sweep reads."""
        tables = (table_of(self.graph.nodes[at]) for at in self.nodes(sweep))
        found = [table for table in tables if table is not None]
        subtracts = "param" in self.sweeps[sweep].stores and "param" not in found
        return [*found, "param"] if subtracts else found

    def writes(self, sweep: int) -> list[str]:
        """The full-size operands that a sweep writes."""
        return [name for name in self.sweeps[sweep].stores if self.operand(name).kind == ELEMENT]

    @property
    def traffic(self) -> dict[str, int]:
        """How many times each full-size operand is read or written."""
        every = range(len(self.sweeps))
        touched = [name for sweep in every for name in (*self.reads(sweep), *self.writes(sweep))]
        return {one.name: touched.count(one.name) for one in self.of(ELEMENT)}


def table_of(node: Node) -> str | None:
    """The operand in which a full-size input is found."""
    if node.op == OPAQUE:
        return made_by(node.data)
    return node.data if node.op == "input" and node.kind == ELEMENT else None


def reached(graph: Graph, targets: Iterable[int], done: Sequence[int] = ()) -> list[int]:
    """What ``targets`` depend on, in order, not looking behind opaque links and what is ``done``."""
    known = frozenset(done)
    return graph.needed(targets, lambda at: graph.nodes[at].op == OPAQUE or at in known)
