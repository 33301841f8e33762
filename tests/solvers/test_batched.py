"""minimize_batch: each problem converges by itself."""

import pytest
import torch

from gradwright.solvers import BatchResult, Status, TrustRegion, minimize, minimize_batch
from tests.solvers.problems import F64, rosenbrock, tensor


def rosenbrocks(x):
    return (100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2).sum(1)


def starts(count, size=10, dtype=F64):
    return torch.randn(count, size, generator=torch.Generator().manual_seed(0), dtype=dtype)


@pytest.mark.parametrize("dtype", [pytest.param(F64, marks=pytest.mark.slow), torch.float32])
def test_ten_thousand_rosenbrocks_all_converge_in_few_calls(dtype):
    x0 = starts(10_000, dtype=dtype)
    result = minimize_batch(rosenbrocks, x0)
    assert result.success.all(), result.message
    assert float(result.jac.abs().max()) <= (1e-6 if dtype == F64 else 1e-4)
    at_global = (result.x - 1).abs().amax(1) < 1e-2
    assert torch.allclose(result.fun[~at_global], torch.tensor(3.98658, dtype=dtype), atol=1e-3)  # the other minimum
    # one call serves all unfinished problems, and finished ones are evaluated no more
    assert result.calls < 1_000
    assert result.rows == int(result.nfev.sum()) < 200 * 10_000
    assert result.nit.unique().numel() > 20


def test_the_answers_are_those_of_minimize():
    x0 = starts(20, 4)
    batch = minimize_batch(rosenbrocks, x0, gtol=1e-9)
    for row, x in enumerate(x0):
        alone = minimize(rosenbrock, x, "bfgs", gtol=1e-9)
        if (batch.x[row] - alone.x).abs().max() > 0.5:
            continue  # two minima: which one is reached depends on the search
        torch.testing.assert_close(batch.x[row], alone.x, atol=1e-7, rtol=0)
        assert batch.fun[row] == rosenbrock(batch.x[row])


def test_a_problem_does_not_notice_its_neighbours():
    x0 = starts(30, 5)
    together = minimize_batch(rosenbrocks, x0)
    for rows in (slice(0, 10), slice(10, 30)):
        part = minimize_batch(rosenbrocks, x0[rows])
        torch.testing.assert_close(part.x, together.x[rows], rtol=1e-7, atol=1e-7)


def test_data_for_each_problem_is_thinned_out_with_it():
    centres = torch.linspace(-5, 5, 40, dtype=F64)[:, None, None] * torch.ones(2, 3, dtype=F64)
    weights = torch.logspace(-3, 6, 40, dtype=F64)

    def fun(x, c, w):
        return w * ((x - c) ** 2).sum((1, 2)) + (x - c).pow(4).sum((1, 2))

    result = minimize_batch(fun, torch.zeros_like(centres), args=(centres, weights))
    assert result.success.all(), result.message
    assert result.x.shape == (40, 2, 3)
    torch.testing.assert_close(result.x, centres, atol=0.1, rtol=0)


def test_each_end_is_honest():
    kinds = torch.arange(5)

    def fun(x, kind):
        quadratic = ((x - 1) ** 2).sum(1)
        table = torch.stack(
            [quadratic, -x.sum(1), torch.log(x).sum(1), quadratic + torch.log(3 - x[:, 0]) * 0, 1e-8 * quadratic]
        )
        return table[kind, torch.arange(len(x))]

    x0 = tensor(0.5, 2.0).repeat(5, 1)
    x0[2] = -1.0
    result = minimize_batch(fun, x0, args=(kinds,))
    names = [status.name for status in result.status]
    assert names[0] == "CONVERGED_GRADIENT"
    assert names[1] == "UNBOUNDED"
    assert names[2] == "NON_FINITE"
    assert names[3] == "CONVERGED_GRADIENT"
    assert result.status[4].success
    torch.testing.assert_close(result.x[4], tensor(1.0, 1.0), atol=1e-4, rtol=0)
    assert "1 of 5" in result.message


def test_minimize_with_batch_is_the_same_verb():
    x0, weights = starts(6, 3), torch.logspace(0, 3, 6, dtype=F64)
    fun = lambda x, w: w * ((x - 1) ** 2).sum(1)  # noqa: E731
    result = minimize(fun, x0, batch=True, args=(weights,), gtol=1e-8)
    assert isinstance(result, BatchResult)
    assert result.success.all()
    torch.testing.assert_close(result.x, torch.ones_like(x0), atol=1e-7, rtol=0)
    torch.testing.assert_close(minimize(fun, x0, "bfgs", batch=True, args=weights, gtol=1e-8).x, result.x)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"method": "trust-ncg"}, "method='trust-ncg' has no form for batch=True; use one that has: bfgs"),
        ({"method": TrustRegion()}, "TrustRegion has no form"),
        ({"bounds": (0, 1)}, "bounds would be ignored by batch=True"),
        ({"constraints": {"type": "eq", "fun": lambda x: x}}, "constraints would be ignored"),
        ({"jac": True}, "jac would be ignored"),
        ({"max_seconds": 1.0}, "max_seconds would be ignored"),
        ({"options": {"memory": 3}}, "options would be ignored"),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
def test_what_has_no_batched_form_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        minimize(rosenbrocks, starts(3), batch=True, **settings)


def test_rows_change_places_with_their_data():
    """Problems end at very different times, so the last rows fill the holes of those that have ended."""
    count = 200
    centres = torch.randn(count, 4, generator=torch.Generator().manual_seed(1), dtype=F64)
    powers = torch.randint(1, 3, (count,), generator=torch.Generator().manual_seed(2))
    fun = lambda x, c, p: (((x - c) ** 2) ** p[:, None]).sum(1) + ((x - c)[:, 0] * (x - c)[:, 1]) ** 2  # noqa: E731
    result = minimize_batch(fun, torch.zeros(count, 4, dtype=F64), args=(centres, powers))
    assert result.success.all()
    assert ((result.x - centres).abs().amax(1) < torch.where(powers == 1, 1e-5, 0.05)).all()
    torch.testing.assert_close(result.fun, fun(result.x, centres, powers))


def test_limits_and_nothing():
    result = minimize_batch(rosenbrocks, starts(7), maxiter=3)
    assert set(result.status) == {Status.MAX_ITERATIONS}
    assert (result.fun < rosenbrocks(starts(7))).all()
    assert minimize_batch(rosenbrocks, torch.zeros(0, 3)).status == ()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: minimize_batch(lambda x: (x * x).sum(), starts(3)), "one value per row"),
        (lambda: minimize_batch(lambda x: (x * x).sum(1) / len(x), starts(3)), "must not influence"),
        (lambda: minimize_batch(rosenbrocks, torch.zeros(3)), "problems, unknowns"),
        (lambda: minimize_batch(rosenbrocks, torch.zeros(3, 2).long()), "floating"),
        (lambda: minimize_batch(rosenbrocks, starts(3), args=(torch.zeros(2),)), "3 rows"),
        (lambda: minimize_batch(rosenbrocks, starts(3), gtol=-1.0), "gtol=-1.0"),
        (lambda: minimize_batch(rosenbrocks, starts(3), maxiter=0), "maxiter=0"),
        (lambda: minimize_batch(rosenbrocks, torch.zeros(1, 3000)), "too many"),
        (lambda: minimize_batch(lambda x: rosenbrocks(x).detach(), starts(3)), "differentiable"),
    ],
)
def test_bad_input_is_refused_by_name(call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call()
