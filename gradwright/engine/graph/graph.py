"""Graph: what a traced update computes, as value-numbered operations.

Every node has a kind, which says how large its value is: see :mod:`gradwright.engine.operand`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from gradwright.engine.operand import COLUMN, ELEMENT, HOST, ROW, SHARED, TENSOR
from gradwright.engine.ops import OPAQUE, OPERATIONS


class Node(NamedTuple):
    """One value: an operation on earlier values, an input, or a constant."""

    op: str
    args: tuple[int, ...]
    data: Any
    kind: int

    @property
    def is_bool(self) -> bool:
        return self.op in OPERATIONS and OPERATIONS[self.op].asks


def joined(kinds: Iterable[int]) -> int:
    """The kind of what is computed entry by entry from values of these kinds."""
    found = set(kinds)
    return ELEMENT if {ROW, COLUMN} <= found else max(found)


class Graph:
    """Nodes in the order in which they were made; equal values are one node."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._known: dict[tuple[Any, ...], int] = {}

    def constant(self, value: float, kind: int = HOST) -> int:
        """A number; as an ``ELEMENT``, a tensor full of it."""
        return self._intern(Node("const", (), float(value), kind))

    def input(self, name: str, kind: int) -> int:
        return self._intern(Node("input", (), name, kind))

    def apply(self, op: str, *args: int) -> int:
        """The node of ``op`` on ``args``, after what can be simplified without changing a bit of the answer."""
        if op in ("mul", "div") and self._is_one(args[1]):
            return args[0]
        if op == "mul" and self._is_one(args[0]):
            return args[1]
        if OPERATIONS[op].commutes and args[0] > args[1]:
            args = args[1], args[0]
        kind = joined(self.nodes[arg].kind for arg in args)
        if op == "div" and kind >= TENSOR and self.nodes[args[1]].kind <= SHARED:
            # a division by a scalar becomes a product with its reciprocal, taken once in double on the host
            return self.apply("mul", args[0], self.apply("div", self.constant(1.0), args[1]))
        return self._intern(Node(op, args, None, kind))

    def _is_one(self, at: int) -> bool:
        return self.nodes[at].op == "const" and self.nodes[at].data == 1.0 and self.nodes[at].kind == HOST

    def reduce(self, op: str, arg: int, kind: int) -> int:
        """The sum or largest entry of ``arg``, for each row or column, or for the whole tensor, as ``kind`` says."""
        return self._intern(Node(op, (arg,), None, kind))

    def opaque(self, link: str, *args: int) -> int:
        """What the link called ``link`` makes of full-size values."""
        return self._intern(Node(OPAQUE, args, link, ELEMENT))

    def again(self, node: Node) -> int:
        """A node of another graph, whose arguments are those here."""
        return self._intern(node)

    def _intern(self, node: Node) -> int:
        key = (node.op, node.args, repr(node.data), node.kind)
        if key not in self._known:
            self._known[key] = len(self.nodes)
            self.nodes.append(node)
        return self._known[key]

    def needed(self, outputs: Iterable[int], given: Callable[[int], bool] = lambda at: False) -> list[int]:
        """The nodes that ``outputs`` depend on, in order, not looking behind those that are ``given``."""
        live: set[int] = set()
        stack = list(outputs)
        while stack:
            at = stack.pop()
            if at not in live:
                live.add(at)
                stack.extend(() if given(at) else self.nodes[at].args)
        return sorted(live)
