"""Gathering: micro-batches in the state of an average, in place of a buffer that holds the sum of their gradients.

Where the first thing that a chain does with the gradient is to average it, and nothing else reads it, the gradients of
micro-batches can be added to the average as they come, and the step on the last one is that on their sum.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import product
from typing import Any, Literal

import torch
from torch import Tensor

from gradwright.core.chain import Chain
from gradwright.core.context import Context
from gradwright.core.dry_run import finished
from gradwright.core.slot import HostScalar
from gradwright.core.spec import ParamSpec
from gradwright.core.transform import Slots, State, Transform, walk

Form = Literal["exact", "adama"]

SIZES = (1e-9, 1.0, 1e9)
"""Sizes of the gradients of a trial: what cuts them anywhere between, such as a clip, shows at one of them."""
ALIKE = 1e-7


@dataclass(frozen=True)
class Still(Transform):
    """Move nothing."""

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return torch.zeros_like(u), state

    def gather(self, u: Any, state: State, ctx: Context) -> tuple[Any, State]:
        return self.update(u, state, ctx)


@dataclass(frozen=True)
class _Gatherer(Transform):
    """A link whose update is its ``gather``."""

    of: Transform

    def slots(self, spec: ParamSpec) -> Slots:
        return self.of.slots(spec)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return self.of.gather(u, state, ctx)


@dataclass(frozen=True)
class Gathering(Chain):
    """The links of a chain, which take a gradient into their state and move no weights; state keys are the chain's."""

    @classmethod
    def of(cls, chain: Chain) -> Gathering:
        return cls((*chain.links, Still()))

    @cached_property
    def _named(self) -> dict[str, Transform]:
        return {name: _Gatherer(link) for name, link in Chain(self.links).held.items()}

    def map_knobs(self, function: Callable[[str, float], Any], prefix: str = "") -> Gathering:
        mapped = (part.map_knobs(function, f"{prefix}{name}.") for name, part in self.held.items())
        return Gathering(tuple(part.of for part in mapped if isinstance(part, _Gatherer)))

    @cached_property
    def _structure(self) -> Hashable:
        return Gathering, super()._structure


def form(chain: Chain, specs: Iterable[ParamSpec]) -> Form | None:
    """What gathering in a chain's state comes to on parameters of these kinds: ``"exact"``, a step on the sum;
    ``"adama"``, one on the sum of gradients and the sum of their squares; ``None``, neither.

    Trials tell, in double precision, on small tensors of the same kinds and gradients of several sizes, some of them
    zero: a step on a + b is compared with those on a and b apart, in both orders. What treats the last micro-batch
    otherwise than the first is neither.
    """
    return _least([_form(chain, spec, size) for spec, size in product(_kinds(chain, specs), SIZES)])


def totals(chain: Chain, specs: Iterable[ParamSpec]) -> frozenset[str]:
    """The names of the totals that a chain asks for at its first two steps, on parameters of these kinds."""
    return frozenset().union(*(_totals(chain, spec) for spec in _kinds(chain, specs)))


def _kinds(chain: Chain, specs: Iterable[ParamSpec]) -> list[ParamSpec]:
    """Small parameters that the chain treats like these, by shape, roles and, where it asks for that, name."""
    named = "name:" in repr(chain.structure())
    small = (replace(s, shape=_small(s), dtype=torch.float64, name=s.name if named else "") for s in specs)
    return list(dict.fromkeys(small))


def _small(spec: ParamSpec) -> tuple[int, ...]:
    shape = tuple(min(size, 3 + at % 2) for at, size in enumerate(spec.own_shape))
    return (*shape, 2) if spec.is_complex else shape


@lru_cache(maxsize=256)
def _totals(chain: Chain, spec: ParamSpec) -> frozenset[str]:
    grad = torch.ones(spec.shape, dtype=spec.dtype, device="cpu")
    return frozenset(_Trial(chain, spec, grad, [grad, grad]).totals)


@lru_cache(maxsize=256)
def _form(chain: Chain, spec: ParamSpec, size: float) -> Form | None:
    random = torch.Generator().manual_seed(1)
    param, *grads = (torch.randn(spec.shape, generator=random, dtype=spec.dtype, device="cpu") for _ in range(5))
    first, second, a, b = (size * grad for grad in grads)
    forms: list[Form | None] = []
    for before, (one, other) in product(([], [first, second]), ((a, b), (a, 0 * b))):
        trial = _Trial(chain, spec, param, before)
        try:
            parts, turned = trial(one, other), trial(other, one)
        except ZeroDivisionError:  # an average that forgets everything
            return None
        same = all(map(_alike, parts, turned))
        forms.append(None if not same else "exact" if all(map(_alike, parts, trial(one + other))) else "adama")
    return _least(forms)


def _least(forms: Sequence[Form | None]) -> Form | None:
    return None if None in forms else "adama" if "adama" in forms else "exact"


class _Trial:
    """A tensor that has taken some steps, and can take another one on any micro-batches."""

    def __init__(self, chain: Chain, spec: ParamSpec, param: Tensor, grads: list[Tensor]) -> None:
        self.chain, self.spec, self.param, self.age = chain, spec, param, 1
        self.totals: set[str] = set()
        self.state: State = {}
        for key, slot in chain.slots(spec).items():
            if isinstance(slot, HostScalar):
                self.state[key] = slot.start
            elif slot.start == "param":
                self.state[key] = param
            else:
                self.state[key] = torch.full(slot.shape_for(spec), slot.start, dtype=slot.dtype_for(spec), device="cpu")
        for grad in grads:
            _, self.state = self._run(self.chain, grad, self.state)
            self.age += 1

    def __call__(self, *grads: Tensor) -> list[Any]:
        """The update and the state after a step on micro-batches with these gradients."""
        state = self.state
        for grad in grads[:-1]:
            _, state = self._run(Gathering.of(self.chain), grad, state)
        u, state = self._run(self.chain, grads[-1], state)
        return [u, *state.values()]

    def _run(self, chain: Chain, grad: Tensor, state: State) -> tuple[Tensor, State]:
        ctx = Context(
            self.param, grad, self.age, self.age, torch.ones((), dtype=grad.dtype, device=grad.device), self.spec
        )
        return finished(walk(chain, grad, state, ctx), self.totals)


def _alike(one: Any, other: Any) -> bool:
    one, other = (torch.as_tensor(each, dtype=torch.float64, device="cpu") for each in (one, other))
    return bool((one - other).abs().max() <= ALIKE * other.abs().max())
