"""Elastic mode: where linearised constraints contradict each other, violations get a price."""

from __future__ import annotations

from torch import Tensor

from gradwright.solvers.constrained.iterate import Iterate
from gradwright.solvers.constrained.kkt import Multipliers
from gradwright.solvers.constrained.sqp.subproblem import Model, Step, elastic
from gradwright.solvers.linear.vectors import largest_entry
from gradwright.solvers.outcome.status import Status

PRICES = (10.0, 1e3, 1e5)
"""Weights of violations, in units of the largest penalty or force."""


def elastic_step(at: Iterate, model: Model, units: Tensor, penalties: Tensor, ctol: float) -> Step | Status | None:
    """The step of the cheapest price at which the linearised violation falls.

    Args:
        at: where it starts.
        model: of the plain program, with steps of finite length.
        units: of the constraints, in sums of violations.
        penalties: of the merit function.
        ctol: violations up to this are none.

    Returns:
        the step; ``Status.INFEASIBLE`` where no price makes the violation fall; None where no program was solved.
    """
    before = at.c.violations
    total = float((units * before).sum())
    scaled = model.in_units(units)
    base = max(largest_entry(penalties / units), largest_entry(model.g), 1e-8)
    answer, rest = None, total
    for price in PRICES:
        step = elastic(scaled, price * base)
        if step is None:
            continue
        rest = float((units * model.left(step.d)).sum())
        λ = Multipliers(units * step.multipliers.rows, step.multipliers.bounds)
        answer = Step(step.d, λ, price * base)
        if rest <= 0.9 * total or total <= ctol:
            return answer
    if answer is not None and largest_entry(before) > ctol and rest > (1 - 1e-6) * total:
        return Status.INFEASIBLE
    return answer
