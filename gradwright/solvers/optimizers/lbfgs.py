"""L-BFGS in a training loop."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from torch import Tensor

from gradwright.solvers.curvature import Curvature, curvature_of
from gradwright.solvers.linear.vectors import norm
from gradwright.solvers.optimizers.base import CurvatureOptimizer
from gradwright.solvers.optimizers.batches import Batches
from gradwright.solvers.optimizers.info import StepInfo, StepStatus
from gradwright.solvers.optimizers.pairs import Pairs, assembled, check_pairs
from gradwright.solvers.optimizers.saved import Entries
from gradwright.solvers.problem.objective import Point
from gradwright.solvers.quasi_newton.memory import LBFGSMemory
from gradwright.solvers.searches import Search, search_of
from gradwright.solvers.searches.first_step import first_length
from gradwright.solvers.searches.line import Line, Trial


class LBFGS(CurvatureOptimizer):
    """One step is one direction d = −Hg and one line search.

    H comes from the last ``history_size`` pairs s = x⁺ − x, y = g⁺ − g. Both gradients of a pair are of the batch of
    their step, so pairs stay meaningful when batches change; with ``step(closure, curvature=...)`` y is the product Hs
    on that batch instead. A pair enters only if sᵀy is positive by more than rounding. With ``evaluation`` the search
    looks at that function. A trial that is not finite was too far. Unlike ``torch.optim.LBFGS`` a step is one
    iteration, nothing depends on the units of the loss, and parameters may lie in several groups and on several
    devices. Where parameters are frozen, unfrozen or added, the pairs so far are of another function and are forgotten.

    Args:
        params: parameters or groups.
        history_size: pairs kept.
        search: a :class:`Search`, or its name out of ``SEARCHES``.
        hvp: where products for ``curvature`` come from.
        check: see :class:`CurvatureOptimizer`.

    Reference: Liu and Nocedal, Math. Program. 45 (1989); Berahas, Nocedal and Takáč, NeurIPS 2016; for curvature
    batches Byrd, Hansen, Nocedal and Singer, SIAM J. Optim. 26 (2016).
    """

    gradient_only: ClassVar[bool] = True
    pace: ClassVar[str] = "the line search"

    def __init__(
        self,
        params: Iterable[Any],
        history_size: int = 10,
        search: str | Search = "hager-zhang",
        hvp: str | Curvature = "auto",
        check: bool = True,
    ) -> None:
        if history_size < 1:
            raise ValueError(f"history_size={history_size} keeps no pair; give at least 1")
        settings = {"history_size": history_size, "search": search_of(search), "hvp": curvature_of(hvp)}
        super().__init__(params, settings, check)
        self.memory |= {"pairs": None}

    def _iterate(self, batches: Batches) -> StepInfo:
        ended = batches.unusable()
        if ended is not None:
            return ended
        pairs = self._pairs(batches)
        trial, predicted_reduction = self._search(batches, pairs)
        if trial is None and pairs is not None and len(pairs):
            pairs.clear()
            trial, predicted_reduction = self._search(batches, pairs)
        if trial is None:
            drowned = predicted_reduction <= batches.judge.noise(batches.base.value)
            status = StepStatus.NOISE_FLOOR if drowned else StepStatus.REJECTED
            return batches.info(status, batches.base.value)
        self._learn(batches, trial.point)
        batches.settle(trial.point)
        batches.remember(trial.point)
        actual = batches.base.value - trial.value
        ratio = actual / predicted_reduction if predicted_reduction > 0 else math.nan
        return batches.info(StepStatus.ACCEPTED, trial.value, ratio, alpha=trial.alpha)

    def _search(self, batches: Batches, pairs: LBFGSMemory | None) -> tuple[Trial | None, float]:
        """The point found along −Hg, and the decrease −αgᵀd/2 that a parabola would have given at the first α."""
        point = batches.point
        if pairs is None or not len(pairs):
            d, first = -point.gradient, first_length(point.x) / norm(point.gradient)
        else:
            d, first = -point.evaluation.visible(pairs.apply_inverse(point.gradient)), 1.0
        line = Line(batches.judge, batches.base, d)
        predicted_reduction = -0.5 * first * line.slope
        if not line.slope < -batches.judge.eps * norm(d) * norm(batches.base.gradient):
            return None, predicted_reduction
        trial: Trial | None = self.settings["search"](line, first)
        return trial, predicted_reduction

    def _learn(self, batches: Batches, new: Point) -> None:
        """Keep the pair of this step."""
        point, main = batches.point, batches.main
        if self.memory["pairs"] is None:
            memory = LBFGSMemory(point.x.numel(), self.settings["history_size"], point.x)
            self.memory["pairs"] = Pairs(tuple(batches.parameters), memory)
        s = new.x - point.x
        y: Tensor
        if batches.curved is not main:
            y = batches.curved.at(new.x).hessian @ s
        else:
            y = (new if batches.same else main.at(new.x)).gradient - point.gradient
        self.memory["pairs"].memory.push(s, y, main.eps)

    def _pairs(self, batches: Batches) -> LBFGSMemory | None:
        """The pairs so far, as far as they are of the parameters of this step."""
        pairs: Pairs | None = self.memory["pairs"]
        if pairs is not None:
            fits = pairs.matches(batches.parameters)
            pairs = self.memory["pairs"] = pairs.arranged(batches.parameters, batches.point.x) if fits else None
        return None if pairs is None else pairs.memory

    @property
    def numbers(self) -> dict[str, Any]:
        pairs: Pairs | None = self.memory["pairs"]
        size = {"history_size": self.settings["history_size"]}
        return {**super().numbers, **size, "pairs": None if pairs is None else pairs.numbers()}

    @property
    def vectors(self) -> dict[str, tuple[int, ...]]:
        rows = (self.settings["history_size"],)
        return {**super().vectors, "s": rows, "y": rows}

    def check_numbers(self, numbers: Mapping[str, Any]) -> None:
        size, saved = self.settings["history_size"], numbers["history_size"]
        if size != saved:
            raise ValueError(
                f"state_dict keeps history_size={saved} pairs, this {type(self).__name__} {size}; make it with "
                f"history_size={saved}"
            )
        if numbers["pairs"] is not None:
            check_pairs(numbers["pairs"], size)

    def entries(self) -> dict[Tensor, Entries]:
        pairs: Pairs | None = self.memory["pairs"]
        rows = {} if pairs is None else pairs.entries()
        return {p: {**self.state.get(p, {}), **rows.get(p, {})} for p in {**self.state, **rows}}

    def _resume(self, numbers: dict[str, Any], entries: dict[Tensor, Entries]) -> None:
        pairs = assembled(numbers["pairs"], entries)
        rest = {p: {key: value for key, value in each.items() if key == "best"} for p, each in entries.items()}
        super()._resume({**numbers, "pairs": pairs}, rest)
        del self.memory["history_size"]
