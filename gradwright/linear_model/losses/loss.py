"""Loss: what every smooth loss answers, in numpy and in C++, and the register of losses by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy import ndarray

LOSSES: dict[str, type[Any]] = {}
"""Every loss by its name."""

Kind = TypeVar("Kind", bound=type)


class Targets(NamedTuple):
    """Targets that a loss takes: their range, in words too, and whether some must be above its lower end."""

    low: float = -np.inf
    high: float = np.inf
    words: str = ""
    some_above: bool = False


def register(name: str, link: str | None = None) -> Callable[[Kind], Kind]:
    """Enter a loss in ``LOSSES``.

    Args:
        name: what users call it.
        link: identity, log or logit, with which it is convex: it is then one of ``GeneralizedLinearModel``'s. None for
            losses of classifiers.
    """

    def enter(kind: Kind) -> Kind:
        kind.name, kind.link = name, link
        LOSSES[name] = kind
        return kind

    return enter


def named(name: str, settings: Any) -> Any:
    """The loss of a name; its own numbers are attributes of ``settings``."""
    kind = LOSSES[name]
    return kind(**{field.name: getattr(settings, field.name) for field in fields(kind)})


@dataclass(frozen=True)
class Loss:
    """A loss ℓ(z, y) that is convex in the prediction z, smooth, and at least zero: zero bounds every objective below.

    ``shape`` says how the curvature changes along a direction: ``exponential`` if |ℓ'''| ≤ ℓ'' (it shrinks by at most
    e^−S where predictions move by at most S), ``quadratic`` if it is constant, ``pieces`` if it jumps at kinks.

    A loss of one prediction gives ``point`` and its C++ form. Fields are the loss's own numbers, three at most.
    """

    name: ClassVar[str]
    link: ClassVar[str | None]
    shape: ClassVar[str] = "exponential"
    cpp: ClassVar[str] = ""
    """``point`` in C++: sets l, g and h from z, y, u and the loss's own numbers, all of type A."""
    curvature: ClassVar[float] = 1.0
    """A typical curvature, for the first preconditioner."""
    largest: ClassVar[float] = np.inf
    """The largest curvature, of any direction in the predictions of a row."""
    steepest: ClassVar[float] = np.inf
    """What the slopes of a row sum to at most, without regard to their signs."""
    degree: ClassVar[int | None] = None
    """k where ℓ(c z, c y) = cᵏ ℓ(z, y), with ``thresholds`` in units of y too; None where there is none."""
    thresholds: ClassVar[tuple[str, ...]] = ()
    pure: ClassVar[bool] = True
    """Whether predictions are pure numbers, rather than in units of y."""
    targets: ClassVar[Targets] = Targets()
    separable: ClassVar[bool] = False
    """Whether F has no minimum where rows of unlike y can be separated."""

    def abc(self) -> tuple[float, float, float]:
        """The loss's own numbers as kernels take them."""
        given = [float(getattr(self, field.name)) for field in fields(self)]
        return tuple(given + [0.0] * (3 - len(given)))

    @classmethod
    def header(cls) -> str:
        """The header loss.h of compiled passes."""
        own = "".join(f"A {field.name} = {letter}; " for field, letter in zip(fields(cls), "abc"))
        text = Path(__file__).with_name("pointwise.h").read_text(encoding="utf-8")
        return text.replace("{ BODY }", f"{{ {own}{cls.cpp} }}")

    def point(self, z: ndarray, y: ndarray, u: ndarray | None = None) -> tuple[ndarray, ndarray, ndarray]:
        """Values, slopes and curvatures at predictions z with targets y and multipliers u, of shape (n,) each."""
        raise NotImplementedError

    def slopes(self, z: ndarray, y: ndarray, u: ndarray | None = None) -> tuple[ndarray, ndarray]:
        """``point`` without the value, which some losses save work by."""
        _, slope, curve = self.point(z, y, u)
        return slope, curve

    def rows(self, Z: ndarray, y: ndarray, u: ndarray | None = None) -> tuple[ndarray, ndarray, ndarray]:
        """The same of predictions of shape (n, K), in double: values (n,), slopes and curvatures (n, K)."""
        value, slope, curve = self.point(Z.astype(np.float64)[:, 0], y, u)
        return value, slope[:, None], np.asarray(curve, np.float64)[:, None]

    def curved(self, curve: ndarray, direction: ndarray) -> ndarray:
        """The Hessian of each row's loss times a direction (n, K); ``curve`` as ``rows`` answers it."""
        return curve * direction

    def second(self, curve: ndarray, scale: ndarray) -> ndarray:
        """Second derivatives of each row's loss by its predictions times ``scale`` (n,): pairs k ≥ l, (pairs, n)."""
        return (curve[:, 0] * scale)[None]

    def least(self, y: ndarray, s: ndarray) -> float:
        """What ``point`` sums to at the best predictions there are, so that it can be subtracted."""
        return 0.0

    def conjugate(self, v: ndarray, y: ndarray) -> ndarray:
        """ℓ*(v) = max over z of v z − ℓ(z), less the constant of ``least``; infinite outside the domain."""
        raise NotImplementedError

    def divergence(self, z: ndarray, v: ndarray, y: ndarray) -> ndarray:
        """ℓ(z) + ℓ*(v) − z v of each row, (n,): at least 0, and 0 where v is the slope at z.

        Its sum is a duality gap. A loss that gives it in a form of its own spares it the difference of large numbers.
        """
        value, _, _ = self.point(z, y)
        conjugate, product = self.conjugate(v, y), z * v
        rounding = 16 * np.finfo(float).eps * (np.abs(value) + np.abs(conjugate) + np.abs(product))
        return np.maximum(value + conjugate - product, 0.0) + rounding

    def expected(self, z: ndarray) -> ndarray | None:
        """Fisher's curvature, that of targets of mean ``mean(z)`` on average; None where it is that of any target."""
        return None

    def margin(self, z: ndarray, y: ndarray, u: ndarray | None = None) -> ndarray:
        """How far each prediction may move before its curvature falls, for losses of pieces."""
        return np.full(z.shape[0], np.inf)

    def start(self, y: ndarray, s: ndarray) -> ndarray:
        """The best constant prediction, near enough to start from; shape (K,)."""
        return np.array([np.average(y, weights=s)])

    def mean(self, z: ndarray) -> ndarray:
        """The expected target at prediction z: the inverse link."""
        return z

    def variance_power(self) -> float | None:
        """p where the variance of a target is φ meanᵖ; None where φ is known to be 1."""
        return None
