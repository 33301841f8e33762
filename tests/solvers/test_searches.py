"""Line searches: the conditions they promise, and the cases that have broken searches elsewhere."""

import math

import pytest
import torch

from gradwright.solvers import Backtracking, HagerZhang, LineSearch, Status, StrongWolfe, minimize
from gradwright.solvers.descents import BFGS, LBFGS, NewtonCG
from gradwright.solvers.methods.portfolio import Portfolio
from gradwright.solvers.methods.trust_region import TrustRegion
from gradwright.solvers.problem.layout import layout_of
from gradwright.solvers.problem.objective import Objective
from gradwright.solvers.problem.sources import FunctionSource
from gradwright.solvers.run.method import Method
from gradwright.solvers.searches.line import Line
from tests.solvers.problems import F64, rosenbrock, tensor

SEARCHES = [HagerZhang(), StrongWolfe(), Backtracking()]
NAMES = ["hager-zhang", "strong-wolfe", "backtracking"]


def line_of(fun, x=0.0, d=1.0, limit=math.inf, dtype=F64):
    x = torch.tensor([x], dtype=dtype)
    layout, _ = layout_of(x)
    objective = Objective(FunctionSource(layout, lambda x: fun(x[0])))
    return Line(objective, objective.at(x), tensor(d), limit)


CURVES = {
    "parabola": lambda a: (a - 3) ** 2,
    "moré-thuente": lambda a: -a / (a * a + 2),
    "steep": lambda a: torch.exp(5 * a) - 20 * a,
    "narrow": lambda a: (a - 1e-6) ** 2 * 1e6,
    "far": lambda a: (a - 1e5) ** 2 * 1e-6,
    "barrier": lambda a: -torch.log(1e-3 - a) - 2000 * a,
    "wall": lambda a: (a - 0.9) ** 2 + 0 * torch.sqrt(1 - a),
    "explodes": lambda a: torch.exp((1e3 * a) ** 2) - a,
}


@pytest.mark.parametrize("first", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("name", CURVES)
def test_hager_zhang_meets_one_of_its_conditions(name, first):
    line, rule = line_of(CURVES[name]), HagerZhang()
    trial = rule(line, first)
    assert trial.alpha > 0
    assert trial.usable
    assert trial.slope >= rule.sigma * line.slope
    wolfe = trial.value <= line.value + rule.delta * trial.alpha * line.slope
    approximate = (2 * rule.delta - 1) * line.slope >= trial.slope and trial.value <= line.value + line.noise
    assert wolfe or approximate
    assert line.objective.nfev <= 40


@pytest.mark.parametrize("first", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("name", CURVES)
def test_strong_wolfe_meets_both_conditions(name, first):
    line, rule = line_of(CURVES[name]), StrongWolfe(curvature=0.5)
    trial = rule(line, first)
    assert trial.alpha > 0
    assert trial.value <= line.value + rule.decrease * trial.alpha * line.slope + line.noise
    assert abs(trial.slope) <= 0.5 * abs(line.slope)


@pytest.mark.parametrize("first", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("name", CURVES)
def test_backtracking_decreases_enough_and_never_extends(name, first):
    line, rule = line_of(CURVES[name]), Backtracking()
    trial = rule(line, first)
    assert 0 < trial.alpha <= first
    assert trial.value <= line.value + rule.decrease * trial.alpha * line.slope + line.noise


@pytest.mark.parametrize("search", SEARCHES, ids=NAMES)
def test_nothing_better_is_none_and_never_alpha_zero(search):
    line = line_of(lambda a: a * a + torch.where(a > 0, a, -a.detach() * 0))
    line.slope = -1.0  # a gradient that lies
    assert search(line, 1.0) is None


@pytest.mark.parametrize("search", SEARCHES, ids=NAMES)
def test_a_limit_is_never_passed(search):
    line = line_of(lambda a: -a, limit=0.7)
    trial = search(line, 1.0)
    assert trial.alpha == 0.7
    assert max(line.trials) <= 0.7


@pytest.mark.parametrize("search", SEARCHES, ids=NAMES)
def test_a_fall_without_end_ends(search):
    line = line_of(lambda a: -a)
    assert search(line, 1.0).value < 0
    assert line.objective.nfev <= 70


def test_no_point_is_evaluated_twice():
    seen = []

    def fun(a):
        seen.append(float(a.detach()))
        return torch.exp(5 * a) - 20 * a + 3 * torch.sin(20 * a)

    HagerZhang(sigma=0.1)(line_of(fun), 1.0)
    assert len(seen) == len(set(seen)) > 3


def test_slopes_decide_where_values_drown():
    line = line_of(lambda a: (a - 1) ** 2 + 1e6, dtype=torch.float32, d=1.0)
    trial = HagerZhang()(line, 0.8)
    assert trial is not None
    assert trial.value == pytest.approx(1e6)
    assert abs(trial.slope) < 0.9 * abs(line.slope)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: HagerZhang(delta=0.6), "delta"),
        (lambda: StrongWolfe(curvature=1.5), "curvature"),
        (lambda: Portfolio(methods=()), "empty"),
        (lambda: TrustRegion(accept=0.3), "accept=0.3"),
    ],
)
def test_settings_out_of_range_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def badly_scaled(x):
    """A quartic whose curvatures differ by 10¹²."""
    y = x * torch.logspace(6, 0, x.numel()).to(x)
    return ((y - 1) ** 2).sum() + ((y - 1) ** 4).sum()


def test_bfgs_keeps_the_gentle_directions_of_a_badly_scaled_problem():
    result = minimize(badly_scaled, torch.zeros(6, dtype=F64), "bfgs", gtol=1e-4)
    assert result.fun < 1e-8
    assert result.nfev < 300


class OneStep(Method):
    """Makes one step, and is stuck."""

    def solve(self, objective, start, monitor):
        monitor.accept(start)
        monitor.accept(objective.at(start.x + 1e-3))
        return Status.STALLED


def test_a_second_method_is_asked_only_where_the_first_fails():
    alone = minimize(rosenbrock, tensor(-1.2, 1.0), "newton-cg")
    turns = minimize(rosenbrock, tensor(-1.2, 1.0), "auto")
    assert (alone.nfev, alone.nhev) == (turns.nfev, turns.nhev)
    rescued = minimize(rosenbrock, tensor(-1.2, 1.0), Portfolio(methods=(OneStep(), LineSearch(BFGS()))), maxfev=400)
    assert rescued.success
    assert rescued.nfev <= 400


def test_the_lowest_point_of_all_methods_is_returned():
    few = LineSearch(LBFGS())
    result = minimize(rosenbrock, tensor(-1.2, 1.0), Portfolio(methods=(few, LineSearch(BFGS()))), maxfev=20)
    assert result.status is Status.MAX_EVALUATIONS
    assert result.nfev <= 20
    assert result.fun == min(each.value for each in result.trace)


def test_a_method_that_ran_out_on_its_way_is_taken_over_where_it_stands():
    def valley(x):  # half a turn around a narrow circle, which every step leaves
        return x[0] + 1e5 * ((x * x).sum() - 1) ** 2

    start, newton, learning = tensor(1.1, 0.1), LineSearch(NewtonCG()), LineSearch(BFGS())
    halves = [minimize(valley, start, method, maxfev=350) for method in (newton, learning)]
    assert [half.status for half in halves] == 2 * [Status.MAX_EVALUATIONS]
    result = minimize(valley, start, Portfolio(methods=(newton, learning)), maxfev=700)
    assert result.nfev == 700
    assert result.fun < min(half.fun for half in halves) - 0.2, "the second method did not go on from the first"


def test_after_a_stuck_method_the_next_begins_at_the_start():
    seen = []

    def fun(x):
        seen.append(x.detach().clone())
        return rosenbrock(x)

    result = minimize(fun, tensor(-1.2, 1.0), Portfolio(methods=(OneStep(), LineSearch(BFGS()))))
    assert result.success
    assert [index for index, x in enumerate(seen) if torch.equal(x, tensor(-1.2, 1.0))] == [0, 2]


def test_searches_are_chosen_by_name():
    for method in ("bfgs", "l-bfgs", "newton-cg", "nonlinear-cg", "l-bfgs-b"):
        named = minimize(rosenbrock, tensor(-1.2, 1.0), method, options={"search": "strong-wolfe"})
        given = minimize(rosenbrock, tensor(-1.2, 1.0), method, options={"search": StrongWolfe()})
        assert named.trace == given.trace
    with pytest.raises(ValueError, match="known are backtracking"):
        minimize(rosenbrock, tensor(-1.2, 1.0), "bfgs", options={"search": "wolfe"})
    with pytest.raises(TypeError, match="search is a float"):
        LineSearch(BFGS(), 0.5)
