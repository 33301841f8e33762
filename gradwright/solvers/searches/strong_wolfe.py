"""Strong Wolfe conditions by bracketing and cubic interpolation."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gradwright.solvers.searches.base import Search
from gradwright.solvers.searches.line import Line, Trial


@dataclass(frozen=True)
class StrongWolfe(Search):
    """φ(α) ≤ φ(0) + c₁ α φ'(0) and |φ'(α)| ≤ c₂ |φ'(0)|.

    Expands until an interval holds such a point, then narrows it by cubic interpolation, kept away from its ends
    (Nocedal and Wright 2006, algorithms 3.5 and 3.6). A trial that is not finite becomes the far end of the interval
    and is never interpolated with.

    Args:
        decrease, curvature: c₁ and c₂, 0 < c₁ < c₂ < 1; 0.1 suits nonlinear conjugate gradients.
        expand: factor by which the first interval grows.
        max_trials: evaluations at most.
    """

    decrease: float = 1e-4
    curvature: float = 0.9
    expand: float = 2.0
    max_trials: int = 60

    def __post_init__(self) -> None:
        if not 0 < self.decrease < self.curvature < 1:
            raise ValueError(f"decrease={self.decrease} and curvature={self.curvature} must rise between 0 and 1")

    def __call__(self, line: Line, first: float) -> Trial | None:
        low: Trial | None = None
        alpha, ceiling = min(first, line.limit), math.inf
        while len(line.trials) < self.max_trials and line.moves(alpha):
            trial = line.at(alpha)
            if not trial.usable:
                ceiling = alpha
                start = low.alpha if low else 0.0
                alpha = start + 0.2 * (alpha - start)
                continue
            if self._too_high(line, trial) or (low is not None and trial.value >= low.value):
                return self._zoom(line, low, trial)
            if abs(trial.slope) <= -self.curvature * line.slope or (trial.slope < 0 and alpha == line.limit):
                return trial
            if trial.slope >= 0:
                return self._zoom(line, trial, low)
            low = trial
            alpha = min(self.expand * alpha, line.limit, 0.5 * (alpha + ceiling))
            if alpha <= low.alpha:
                break
        return line.best()

    def _too_high(self, line: Line, trial: Trial) -> bool:
        return trial.value > line.value + self.decrease * trial.alpha * line.slope + line.noise

    def _zoom(self, line: Line, low: Trial | None, high: Trial | None) -> Trial | None:
        """Narrow [low, high]: low satisfies the decrease and is the lowest so far; None stands for α = 0."""
        while len(line.trials) < self.max_trials:
            alpha = _cubic(line, low, high)
            if not line.moves(alpha) or alpha in line.trials:
                break
            trial = line.at(alpha)
            least = line.value if low is None else low.value
            if not trial.usable or self._too_high(line, trial) or trial.value > least + line.noise:
                high = trial
                continue
            if abs(trial.slope) <= -self.curvature * line.slope:
                return trial
            ahead = (high.alpha if high else 0.0) - (low.alpha if low else 0.0)
            if trial.slope * ahead >= 0:
                high = low
            low = trial
        return line.best()


def _cubic(line: Line, low: Trial | None, high: Trial | None) -> float:
    """The minimiser of the cubic through both ends, at least a tenth of the interval away from each."""
    a, b = (low.alpha if low else 0.0), (high.alpha if high else 0.0)
    if high is not None and not high.usable:
        return a + 0.2 * (b - a)
    fa, fb = (low.value if low else line.value), (high.value if high else line.value)
    da, db = (low.slope if low else line.slope), (high.slope if high else line.slope)
    first = da + db - 3 * (fa - fb) / (a - b) if a != b else math.nan
    second = first * first - da * db
    middle = 0.5 * (a + b)
    if not second >= 0:
        return middle
    root = math.copysign(math.sqrt(second), b - a)
    bottom = db - da + 2 * root
    alpha = b - (b - a) * (db + root - first) / bottom if bottom else middle
    edge = 0.1 * abs(b - a)
    if not math.isfinite(alpha):
        return middle
    return min(max(alpha, min(a, b) + edge), max(a, b) - edge)
