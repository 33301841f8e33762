"""Hager and Zhang's search, which goes on where values can no longer be told apart."""

from __future__ import annotations

from dataclasses import dataclass

from gradwright.solvers.searches.base import Search
from gradwright.solvers.searches.line import Line, Trial

EDGE = 0.01
"""A secant point keeps this part of the interval away from its ends."""


@dataclass(frozen=True)
class HagerZhang(Search):
    """Wolfe's conditions, or near the solution the approximate ones that compare slopes only.

    Wolfe: φ(α) − φ(0) ≤ δ α φ'(0) and φ'(α) ≥ σ φ'(0). Approximate Wolfe: (2δ − 1) φ'(0) ≥ φ'(α) ≥ σ φ'(0) where
    φ(α) ≤ φ(0) + ε. ε is the rounding of φ(0), in the precision that fun computes in: near a solution values differ by
    O(‖g‖²) and slopes by O(‖g‖), so slopes still tell in float32 where values do not.

    Every trial is kept; when no trial satisfies the conditions the best one is returned, and never α = 0.

    Args:
        delta, sigma: δ and σ, 0 < δ < ½ and δ ≤ σ < 1.
        shrink: γ, bisect when an interval kept more than this part of its length.
        expand: ρ, the factor by which the first bracket grows.
        max_trials: evaluations at most.

    Reference: Hager and Zhang, SIAM J. Optim. 16 (2005); ACM TOMS 32 (2006).
    """

    delta: float = 0.1
    sigma: float = 0.9
    shrink: float = 0.66
    expand: float = 5.0
    max_trials: int = 60

    def __post_init__(self) -> None:
        if not (0 < self.delta < 0.5 and self.delta <= self.sigma < 1):
            raise ValueError(
                f"delta={self.delta} and sigma={self.sigma} must satisfy 0 < delta < 1/2, delta <= sigma < 1"
            )

    def __call__(self, line: Line, first: float) -> Trial | None:
        return _Run(self, line).search(min(first, line.limit))


class _Run:
    """One search: an interval [low, high] with φ'(low) < 0, φ(low) ≤ φ(0) + ε and φ'(high) ≥ 0."""

    def __init__(self, rule: HagerZhang, line: Line) -> None:
        self.rule, self.line = rule, line
        self.found: Trial | None = None
        self.over = False
        self.probes = 0

    def search(self, first: float) -> Trial | None:
        bracket = self._bracket(first)
        while bracket is not None and not self._done:
            low, high = bracket
            bracket = self._secant2(low, high)
            if self._done or bracket is None:
                break
            if bracket[1] - bracket[0] > self.rule.shrink * (high - low):
                bracket = self._update(*bracket, 0.5 * (bracket[0] + bracket[1]))
            if bracket == (low, high):
                break
        return self.found or self.line.best()

    @property
    def _done(self) -> bool:
        return self.over or self.found is not None

    def _probe(self, alpha: float) -> Trial | None:
        """Evaluate; note the end of the search if this trial is acceptable or no more are allowed."""
        line = self.line
        self.probes += 1  # recalled trials count too: an interval that cannot be split any more ends the search
        if self.probes > self.rule.max_trials or not line.moves(alpha):
            self.over = True
            return None
        trial = line.at(alpha)
        if trial.usable and self._accepts(trial):
            self.found = trial
        return trial

    def _accepts(self, trial: Trial) -> bool:
        line, delta, sigma = self.line, self.rule.delta, self.rule.sigma
        curvature = trial.slope >= sigma * line.slope or trial.alpha == line.limit
        wolfe = trial.value <= line.value + delta * trial.alpha * line.slope
        approximate = (2 * delta - 1) * line.slope >= trial.slope and self._low_enough(trial)
        return curvature and (wolfe or approximate)

    def _low_enough(self, trial: Trial) -> bool:
        return trial.value <= self.line.value + self.line.noise

    def _bracket(self, alpha: float) -> tuple[float, float] | None:
        """Expand from α until the slope turns up or the value rises; halve the way back from what is not finite."""
        low, ceiling = 0.0, None
        while True:
            trial = self._probe(alpha)
            if trial is None or self.found:
                return None
            if not trial.usable:
                ceiling = alpha
                alpha = low + 0.2 * (alpha - low)
                continue
            if trial.slope >= 0:
                return low, alpha
            if not self._low_enough(trial):
                return self._squeeze(low, alpha)
            low = alpha
            alpha = min(self.rule.expand * alpha, self.line.limit)
            if ceiling is not None:
                alpha = min(alpha, 0.5 * (low + ceiling))
            if alpha <= low:
                self.over = True
                return None

    def _squeeze(self, low: float, high: float) -> tuple[float, float] | None:
        """Bisect towards a rising slope when the value at ``high`` is too large, or not finite."""
        while True:
            middle = 0.5 * (low + high)
            trial = self._probe(middle)
            if trial is None or self.found:
                return None
            if trial.usable and trial.slope >= 0:
                return low, middle
            if trial.usable and self._low_enough(trial):
                low = middle
            else:
                high = middle

    def _update(self, low: float, high: float, alpha: float) -> tuple[float, float] | None:
        if not low < alpha < high:
            return low, high
        trial = self._probe(alpha)
        if trial is None or self.found:
            return None
        if trial.usable and trial.slope >= 0:
            return low, alpha
        if trial.usable and self._low_enough(trial):
            return alpha, high
        return self._squeeze(low, alpha)

    def _secant2(self, low: float, high: float) -> tuple[float, float] | None:
        middle = self._secant(low, high)
        bracket = self._update(low, high, middle)
        if bracket is None:
            return None
        if middle == bracket[1]:
            return self._update(*bracket, self._secant(high, bracket[1]))
        if middle == bracket[0]:
            return self._update(*bracket, self._secant(low, bracket[0]))
        return bracket

    def _secant(self, a: float, b: float) -> float:
        """Where the line through the slopes at both ends is zero; kept off the interval's ends, so that an enormous
        slope at the far end cannot pin it to the near one."""
        left = self.line.slope if a == 0 else self.line.at(a).slope
        right = self.line.slope if b == 0 else self.line.at(b).slope
        middle = (a * right - b * left) / (right - left) if right != left else 0.5 * (a + b)
        low, high = min(a, b), max(a, b)
        edge = EDGE * (high - low)
        if middle != middle or low < middle < low + edge:
            return low + edge
        return high - edge if high - edge < middle < high else middle
