"""Graph: what a traced update computes, as value-numbered operations.

Every node has a kind, by where it lives: ``host`` (a double that depends on knobs, step counts and Numbers), ``shared``
(a double that depends on totals, the loss or shared slots: never a Python ``if``), ``tensor`` (one number of each
tensor, such as a norm), ``element`` (one number of each entry).
"""

from __future__ import annotations

from typing import Any, NamedTuple

HOST, SHARED, TENSOR, ELEMENT = range(4)

REDUCTIONS = frozenset({"sum", "amax"})
COMPARISONS = frozenset({"gt", "ge", "lt", "le", "eq", "ne", "and", "or", "not", "isnan", "isfinite"})
COMMUTATIVE = frozenset({"add", "mul", "eq", "ne", "and", "or"})


class Node(NamedTuple):
    """One value: an operation on earlier values, an input, or a constant."""

    op: str
    args: tuple[int, ...]
    data: Any
    kind: int

    @property
    def is_bool(self) -> bool:
        return self.op in COMPARISONS


class Graph:
    """Nodes in the order in which they were made; equal values are one node."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._known: dict[tuple[Any, ...], int] = {}

    def constant(self, value: float) -> int:
        return self._intern(Node("const", (), float(value), HOST))

    def input(self, name: str, kind: int) -> int:
        return self._intern(Node("input", (), name, kind))

    def apply(self, op: str, *args: int) -> int:
        """The node of ``op`` on ``args``, after what can be simplified without changing a bit of the answer."""
        if op in COMMUTATIVE and args[0] > args[1]:
            args = args[1], args[0]
        kind = TENSOR if op in REDUCTIONS else max(self.nodes[arg].kind for arg in args)
        if op == "div" and kind >= TENSOR and self.nodes[args[1]].kind <= SHARED:
            # a division by a scalar becomes a product with its reciprocal, taken once in double on the host
            return self.apply("mul", args[0], self.apply("div", self.constant(1.0), args[1]))
        return self._intern(Node(op, args, None, kind))

    def _intern(self, node: Node) -> int:
        key = (node.op, node.args, repr(node.data), node.kind)
        if key not in self._known:
            self._known[key] = len(self.nodes)
            self.nodes.append(node)
        return self._known[key]

    def needed(self, outputs: list[int]) -> list[int]:
        """The nodes that ``outputs`` depend on, in order."""
        live: set[int] = set()
        stack = list(outputs)
        while stack:
            at = stack.pop()
            if at not in live:
                live.add(at)
                stack.extend(self.nodes[at].args)
        return sorted(live)
