"""Shards: a traced step as ranks take it that hold parts of each tensor.

Of an entry's rows and columns a rank computes what it can by itself, and what a sweep reduces is completed between two
sweeps. Only a sum over a vector, such as the mean of what a sweep left for each row, is taken where the vector is used,
and a rank may have a part of that: it becomes a sum over entries, which a sweep completes.
"""

from __future__ import annotations

from dataclasses import replace

from gradwright.engine.graph.graph import Graph
from gradwright.engine.graph.symbol import Untraceable
from gradwright.engine.graph.trace import Trace
from gradwright.engine.operand import COLUMN, ELEMENT, ROW, TENSOR
from gradwright.engine.ops import REDUCTIONS


def over_shards(trace: Trace, cuts: frozenset[int]) -> Trace:
    """The same step, where ranks hold parts of the tensor.

    Args:
        trace: the step of a whole tensor.
        cuts: the dimensions of the tensor along which it is cut.

    Raises:
        Untraceable: the rows are blocks of a dimension, which lie across ranks in ways of their own.
    """
    if not cuts or trace.folding is None:
        return trace
    if trace.folding.blocks > 1:
        raise Untraceable("blocks of rows that lie across ranks")
    apart = {ROW} if min(cuts) < trace.folding.leading else set()
    apart |= {COLUMN} if max(cuts) >= trace.folding.leading else set()
    return _Rewriter(trace, apart).trace()


class _Rewriter:
    """The nodes of a graph in another, where vectors of these kinds are never whole."""

    def __init__(self, trace: Trace, apart: set[int]) -> None:
        self.old, self.apart, self.graph = trace, apart, Graph()
        self.place: dict[int, int] = {}
        for at in range(len(trace.graph.nodes)):
            self.place[at] = self._moved(at)

    def _moved(self, at: int) -> int:
        node = self.old.graph.nodes[at]
        args = tuple(self.place[arg] for arg in node.args)
        vector = node.op in REDUCTIONS and node.kind == TENSOR and self.old.graph.nodes[node.args[0]].kind
        if vector in self.apart:
            return self._over_entries(node.op, args[0], vector)
        return self.graph.again(node._replace(args=args))

    def _over_entries(self, op: str, vector: int, kind: int) -> int:
        """A reduction of a vector as one of a tensor each of whose rows, or columns, is that vector."""
        graph = self.graph
        entries = graph.apply("add", vector, graph.constant(0.0, ELEMENT))
        found = graph.reduce(op, entries, TENSOR)
        if op == "amax":
            return found
        return graph.apply("div", found, graph.input("columns" if kind == ROW else "rows", TENSOR))

    def trace(self) -> Trace:
        old, place = self.old, self.place
        return replace(
            old,
            graph=self.graph,
            update=place[old.update],
            state={key: place[at] for key, at in old.state.items()},
            guards={place[at]: value for at, value in old.guards.items()},
            totals={name: tuple(place[at] for at in parts) for name, parts in old.totals.items()},
        )
