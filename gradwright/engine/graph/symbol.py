"""Symbol: what an update receives in place of tensors and numbers while it is traced."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch

from gradwright.core import Total
from gradwright.engine.graph.graph import Graph
from gradwright.engine.operand import COLUMN, ELEMENT, HOST, ROW, SHARED, TENSOR, Folding, summed_in
from gradwright.engine.ops import OPERATIONS


class Untraceable(Exception):
    """An operation that the graph has no word for; its message says which."""


class Tracer:
    """A graph under construction, the host's numbers while it is built, and the decisions taken on them."""

    def __init__(self, numbers: dict[str, float], shape: tuple[int, ...]) -> None:
        self.graph = Graph()
        self.numbers = numbers
        self.shape = shape
        self.folding: Folding | None = None
        self.guards: dict[int, bool | float] = {}
        self.totals: dict[str, tuple[int, ...]] = {}
        self._values: dict[int, Any] = {}

    def symbol(self, name: str, kind: int, seen: tuple[int, ...] | None = None) -> Symbol:
        return Symbol(self, self.graph.input(name, kind), seen)

    def wrap(self, value: Any) -> int:
        if isinstance(value, Symbol):
            return value.node
        if isinstance(value, (bool, int, float)):
            return self.graph.constant(value)
        raise Untraceable(f"a {type(value).__name__} beside symbols")

    def apply(self, op: str, *args: Any) -> Symbol:
        seen = {arg.seen for arg in args if isinstance(arg, Symbol) and arg.kind > TENSOR}
        if len(seen) > 1:
            raise Untraceable(f"values seen as {' and '.join(map(str, sorted(seen)))} together")
        return Symbol(self, self.graph.apply(op, *map(self.wrap, args)), *seen)

    def full(self, value: float, seen: tuple[int, ...] | None = None) -> Symbol:
        """A tensor like the parameter, full of one number."""
        return Symbol(self, self.graph.constant(value, ELEMENT), seen)

    def settle(self, total: Total) -> Any:
        """What the sums over all parameters of a total's parts will be called.

        Raises:
            Untraceable: a part is no single number of this tensor, or the name was asked for before.
        """
        parts = tuple(map(self.wrap, total.parts))
        if any(self.graph.nodes[at].kind != TENSOR for at in parts):
            raise Untraceable(f"the total {total.name!r} of something else than one number of each tensor")
        if total.name in self.totals:
            raise Untraceable(f"the total {total.name!r}, which is asked for twice")
        self.totals[total.name] = parts
        sums = tuple(self.symbol(key, SHARED) for key in summed_in(total.name, len(parts)))
        return sums[0] if len(sums) == 1 else sums

    def kind_of(self, keep: Iterable[int], seen: tuple[int, ...] | None = None) -> int:
        """The kind of a value that keeps these dimensions of the shape in which the tensor is seen.

        A tensor is seen as a matrix in one way only, its ``folding``.
        """
        shape = self.shape if seen is None else seen
        keeps = {dim % len(shape) for dim in keep}
        wide = [dim for dim, size in enumerate(shape) if size > 1]
        kept = [dim for dim in wide if dim in keeps]
        if kept == wide:
            return ELEMENT
        if not kept:
            return TENSOR
        if kept == wide[: len(kept)]:
            kind, split = ROW, wide[len(kept)]
        elif kept == wide[-len(kept) :]:
            kind, split = COLUMN, kept[0]
        else:
            raise Untraceable(f"a value that keeps dimensions {kept} of {shape}")
        self.fold(self._folding(split, shape))
        return kind

    def fold(self, folding: Folding) -> None:
        if self.folding not in (None, folding):
            raise Untraceable("rows and columns of two different foldings")
        self.folding = folding

    def _folding(self, split: int, seen: tuple[int, ...]) -> Folding:
        """Where the rows end, in dimensions of the tensor itself and parts of the next one."""
        if seen == self.shape:
            return Folding(split)
        cut = Folding.between(self.shape, seen)
        if split <= cut.leading:
            return Folding(split)
        return cut if math.prod(seen[cut.split : split]) == 1 else Folding(split - 1)

    def decide(self, node: int) -> Any:
        """The value of a host number now; the plan holds for as long as it stays so."""
        if self.graph.nodes[node].kind != HOST:
            raise Untraceable("a Python decision on a tensor's value")
        value = self.value(node)
        self.guards[node] = value
        return value

    def value(self, node: int) -> Any:
        if node not in self._values:
            op, args, data, _ = self.graph.nodes[node]
            if op == "const":
                self._values[node] = data
            elif op == "input":
                self._values[node] = self.numbers[data]
            else:
                self._values[node] = OPERATIONS[op].host(*map(self.value, args))
        return self._values[node]


def _binary(op: str) -> Callable[[Any, Any], Symbol]:
    return lambda self, other: self.tracer.apply(op, self, other)


def _reflected(op: str) -> Callable[[Any, Any], Symbol]:
    return lambda self, other: self.tracer.apply(op, other, self)


class Symbol:
    """Stands for a tensor or a number in an update; arithmetic on it grows the graph."""

    is_symbol = True

    def __init__(self, tracer: Tracer, node: int, seen: tuple[int, ...] | None = None) -> None:
        self.tracer = tracer
        self.node = node
        self.seen = tracer.shape if seen is None else seen
        """The shape of the tensor that it belongs to, as it is seen here; of a single number it says nothing."""

    @property
    def kind(self) -> int:
        return self.tracer.graph.nodes[self.node].kind

    def __bool__(self) -> bool:
        return bool(self.tracer.decide(self.node))

    def __float__(self) -> float:
        return float(self.tracer.decide(self.node))

    __add__ = _binary("add")
    __radd__ = _reflected("add")
    __sub__ = _binary("sub")
    __rsub__ = _reflected("sub")
    __mul__ = _binary("mul")
    __rmul__ = _reflected("mul")
    __truediv__ = _binary("div")
    __rtruediv__ = _reflected("div")
    __gt__ = _binary("gt")
    __ge__ = _binary("ge")
    __lt__ = _binary("lt")
    __le__ = _binary("le")
    __eq__ = _binary("eq")  # type: ignore[assignment]
    __ne__ = _binary("ne")  # type: ignore[assignment]
    __and__ = _binary("and")
    __or__ = _binary("or")

    def __neg__(self) -> Symbol:
        return self.tracer.apply("neg", self)

    def __pow__(self, exponent: Any) -> Symbol:
        if self.kind <= SHARED and (not isinstance(exponent, Symbol) or exponent.kind <= SHARED):
            return self.tracer.apply("pow", self, exponent)
        if exponent == 2:
            return self * self
        if exponent == 0.5:
            return self.tracer.apply("sqrt", self)
        raise Untraceable(f"a power of {exponent!r}")

    def __rpow__(self, base: Any) -> Symbol:
        if self.kind <= SHARED:
            return self.tracer.apply("pow", base, self)
        raise Untraceable("a tensor as exponent")

    def __mod__(self, other: Any) -> Symbol:
        if self.kind <= SHARED:
            return self.tracer.apply("mod", self, other)
        raise Untraceable("the remainder of a tensor")

    def __invert__(self) -> Symbol:
        return self.tracer.apply("not", self)

    __hash__ = object.__hash__

    def dim(self) -> int:
        if self.kind in (ROW, COLUMN, ELEMENT):
            return len(self.seen)
        raise Untraceable("the number of dimensions of a number")

    def unflatten(self, dim: int, sizes: tuple[int, ...]) -> Symbol:
        """The same entries with one dimension cut into equal parts, which is all that a graph has a word for."""
        at = dim % self.dim()
        parts, rest = sizes
        if self.kind != ELEMENT or self.seen != self.tracer.shape or parts < 1 or self.seen[at] % parts:
            raise Untraceable(f"unflatten({dim}, {sizes}) of {self.seen}")
        if rest not in (-1, self.seen[at] // parts):
            raise Untraceable(f"unflatten({dim}, {sizes}) of {self.seen}")
        return Symbol(self.tracer, self.node, Folding(at, parts).seen(self.seen))

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Symbol:
        """What undoes :meth:`unflatten`; the parts are the rows of the tensor from then on."""
        at, end = start_dim % self.dim(), end_dim % self.dim()
        whole = (*self.seen[:at], math.prod(self.seen[at : end + 1]), *self.seen[end + 1 :])
        if self.kind != ELEMENT or whole != self.tracer.shape:
            raise Untraceable(f"flatten({start_dim}, {end_dim}) of {self.seen}")
        if self.seen != whole:
            self.tracer.fold(Folding.between(whole, self.seen))
        return Symbol(self.tracer, self.node)

    def _reduced(self, op: str, dim: Any, keepdim: bool) -> Symbol:
        if self.kind == TENSOR and dim is None:
            return self
        if self.kind not in (ROW, COLUMN, ELEMENT):
            raise Untraceable("a reduction of a single number")
        if dim is None:
            kind = TENSOR
        else:
            if not keepdim:
                raise Untraceable("a reduction that drops dimensions")
            ndim = len(self.seen)
            gone = {d % ndim for d in ([dim] if isinstance(dim, int) else dim)}
            kind = self.tracer.kind_of([d for d in range(ndim) if d not in gone], self.seen)
        if kind == self.kind:
            return self
        node = self.tracer.graph.nodes[self.node]
        if node.op == "const" and kind == TENSOR:
            return node.data * self.tracer.symbol("numel", TENSOR) if op == "sum" else self
        if self.kind != ELEMENT and kind != TENSOR:
            # what is one number for each row has nothing left to reduce along columns, and the other way round
            kind = TENSOR if {self.kind, kind} == {ROW, COLUMN} else self.kind
        return Symbol(self.tracer, self.tracer.graph.reduce(op, self.node, kind), self.seen)

    def sum(self, dim: Any = None, keepdim: bool = False) -> Symbol:
        return self._reduced("sum", dim, keepdim)

    def mean(self, dim: Any = None, keepdim: bool = False) -> Symbol:
        total = self._reduced("sum", dim, keepdim)
        sizes = {(ELEMENT, TENSOR): "numel", (ELEMENT, ROW): "columns", (ELEMENT, COLUMN): "rows"}
        sizes |= {(ROW, TENSOR): "rows", (COLUMN, TENSOR): "columns"}
        count = sizes.get((self.kind, total.kind))
        return total if count is None else total / self.tracer.symbol(count, TENSOR)

    def amax(self, dim: Any = None, keepdim: bool = False) -> Symbol:
        return self._reduced("amax", dim, keepdim)

    def any(self) -> Symbol:
        graph = self.tracer.graph
        found = graph.apply("where", self.node, graph.constant(1.0), graph.constant(0.0))
        return Symbol(self.tracer, graph.reduce("amax", found, TENSOR)) > 0

    def isnan(self) -> Symbol:
        return self.tracer.apply("isnan", self)

    def abs(self) -> Symbol:
        return self.tracer.apply("abs", self)

    __abs__ = abs

    def sqrt(self) -> Symbol:
        return self.tracer.apply("sqrt", self)

    def square(self) -> Symbol:
        return self * self

    def softplus(self) -> Symbol:
        return self.tracer.apply("softplus", self)

    def reciprocal(self) -> Symbol:
        return 1.0 / self

    def rsqrt(self) -> Symbol:
        return 1.0 / self.sqrt()

    def exp(self) -> Symbol:
        return self.tracer.apply("exp", self)

    def log(self) -> Symbol:
        return self.tracer.apply("log", self)

    def sign(self) -> Symbol:
        return self.tracer.apply("sign", self)

    def lerp(self, end: Any, weight: Any) -> Symbol:
        return self + weight * (end - self)

    def clamp(self, min: Any = None, max: Any = None) -> Symbol:
        low = self if min is None else self.tracer.apply("maximum", self, min)
        return low if max is None else self.tracer.apply("minimum", low, max)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Symbol:
        tracer = next(arg.tracer for arg in (*args, *(kwargs or {}).values()) if isinstance(arg, Symbol))
        handler = TORCH_FUNCTIONS.get(func)
        if handler is None:
            raise Untraceable(f"torch.{getattr(func, '__name__', func)}")
        return handler(tracer, *args, **(kwargs or {}))

    def __getattr__(self, name: str) -> Any:
        raise Untraceable(f"the tensor attribute {name!r}")


def _plain(op: str) -> Callable[..., Symbol]:
    return lambda tracer, *args: tracer.apply(op, *args)


def _filled(tracer: Tracer, like: Symbol, value: float) -> Symbol:
    return tracer.full(value, like.seen) if like.kind == ELEMENT else Symbol(tracer, tracer.graph.constant(value))


TORCH_FUNCTIONS: dict[Any, Callable[..., Symbol]] = {
    **{operation.torch: _plain(op) for op, operation in OPERATIONS.items()},
    torch.rsqrt: lambda tracer, x: x.rsqrt(),
    torch.reciprocal: lambda tracer, x: x.reciprocal(),
    torch.square: lambda tracer, x: x * x,
    torch.pow: lambda tracer, x, exponent: x**exponent,
    torch.remainder: lambda tracer, x, y: x % y,
    torch.lerp: lambda tracer, start, end, weight: start + weight * (end - start),
    torch.clamp: lambda tracer, x, min=None, max=None: x.clamp(min, max),
    torch.sum: lambda tracer, x, dim=None, keepdim=False: x.sum(dim, keepdim),
    torch.mean: lambda tracer, x, dim=None, keepdim=False: x.mean(dim, keepdim),
    torch.amax: lambda tracer, x, dim=None, keepdim=False: x.amax(dim, keepdim),
    torch.linalg.vector_norm: lambda tracer, x, dim=None, keepdim=False: (x * x).sum(dim, keepdim).sqrt(),
    torch.ones_like: lambda tracer, x: _filled(tracer, x, 1.0),
    torch.zeros_like: lambda tracer, x: _filled(tracer, x, 0.0),
    torch.full_like: lambda tracer, x, value: _filled(tracer, x, value),
}
"""What a function of torch makes of symbols."""
