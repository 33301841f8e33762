"""Fields: what a result has, by attribute and by item, as SciPy's results are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from gradwright.core.spelling import nearest


class Fields(Mapping[str, Any]):
    """A frozen dataclass that is also read by item: ``result["x"]`` is ``result.x``, and ``dict(result)`` is all of it.

    Class attributes:
        derived: properties that count as items too.
    """

    derived: ClassVar[tuple[str, ...]] = ()

    def _names(self) -> tuple[str, ...]:
        return (*(each.name for each in fields(self)), *self.derived)  # type: ignore[arg-type]

    def __getitem__(self, name: str) -> Any:
        if name not in self._names():
            known = "it has " + ", ".join(self._names())
            raise KeyError(f"{type(self).__name__} has no {name!r}; {nearest(name, self._names(), known)}")
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())


@dataclass(frozen=True)
class IntermediateResult(Fields):
    """What a callback of the form ``callback(intermediate_result)`` gets after each iteration.

    Attributes:
        x: the iterate, in the form of x0; a copy.
        fun: the value there.
        gradient: the size of what has to vanish.
        nit, nfev, nhev: iterations, evaluations and Hessian products so far.
    """

    x: Any
    fun: float
    gradient: float
    nit: int
    nfev: int
    nhev: int
