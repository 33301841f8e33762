"""Solvers in training loops: closed forms, batches, resuming, and what is refused."""

import copy
import pickle

import numpy as np
import pytest
import torch

from gradwright.solvers import NotDeterministic
from gradwright.solvers.linear.martens_cg import martens_cg
from gradwright.solvers.linear.operator import LinearOperator
from gradwright.solvers.optimizers import LBFGS, HessianFree, NewtonCG, StepStatus
from gradwright.solvers.optimizers.sample_diagonal import sample_diagonal
from tests.solvers.problems import F64, tensor

KINDS = [(NewtonCG, {}), (LBFGS, {}), (HessianFree, {}), (HessianFree, {"precondition": "empirical-fisher"})]
NAMES = ["newton-cg", "l-bfgs", "hessian-free", "hessian-free, preconditioned"]
each = pytest.mark.parametrize(("kind", "options"), KINDS, ids=NAMES)


class Task:
    """A small regression with an ordinary closure that also returns the outputs."""

    def __init__(self, seed=0, dropout=0.0, dtype=F64):
        torch.manual_seed(seed)
        self.x = torch.randn(64, 4, dtype=dtype)
        self.y = torch.sin(self.x.sum(1, keepdim=True))
        layers = [torch.nn.Linear(4, 12), torch.nn.Tanh(), torch.nn.Dropout(dropout), torch.nn.Linear(12, 1)]
        self.model = torch.nn.Sequential(*layers).to(dtype)

    def closure(self, opt, rows=slice(None)):
        def run():
            opt.zero_grad()
            outputs = self.model(self.x[rows])
            loss = (outputs - self.y[rows]).square().mean()
            loss.backward()
            return loss, outputs

        return run

    def flat(self):
        return torch.cat([p.detach().reshape(-1) for p in self.model.parameters()])


@each
def test_every_step_goes_down_on_one_batch(kind, options):
    task = Task()
    opt = kind(task.model.parameters(), **options)
    values = []
    for _ in range(12):
        info = opt.step(task.closure(opt))
        assert info.accepted, info
        assert info.value_after < info.value
        assert not values or info.value == pytest.approx(values[-1], rel=1e-12)
        values.append(info.value_after)
    assert values[-1] < 0.2 * values[0]
    assert opt.best_value == min(values)
    assert task.closure(opt)()[0].item() == pytest.approx(values[-1], rel=1e-12)


@each
def test_the_gradient_used_is_left_in_grad(kind, options):
    task = Task()
    opt = kind(task.model.parameters(), **options)
    task.closure(opt)()
    expected = [p.grad.clone() for p in task.model.parameters()]
    info = opt.step(task.closure(opt))
    for p, g in zip(task.model.parameters(), expected):
        torch.testing.assert_close(p.grad, g)
    assert info.gradient == pytest.approx(float(torch.cat([g.reshape(-1) for g in expected]).norm()))


def test_newton_solves_a_quadratic_in_one_step():
    A = torch.tensor([[4.0, 1.0], [1.0, 3.0]], dtype=F64)
    w = torch.nn.Parameter(tensor(5.0, -7.0))
    opt = NewtonCG([w], radius=100.0, forcing=1e-12)

    def closure():
        opt.zero_grad()
        loss = 0.5 * w @ A @ w - w.sum()
        loss.backward()
        return loss

    info = opt.step(closure)
    assert info.ratio == pytest.approx(1.0)
    assert info.nhev == 2
    torch.testing.assert_close(w.detach(), torch.linalg.solve(A, torch.ones(2, dtype=F64)))


def test_newton_follows_negative_curvature_to_the_boundary():
    w = torch.nn.Parameter(tensor(0.1, 0.0))
    opt = NewtonCG([w], radius=0.5)
    info = opt.step(lambda: -(w[0] ** 2) + w[0] ** 4 + w[1] ** 2)
    assert info.negative_curvature
    assert info.accepted
    assert float(w.detach()[0]) == pytest.approx(0.6)


def test_a_groups_scale_shapes_the_region():
    a, b = torch.nn.Parameter(tensor(1.0)), torch.nn.Parameter(tensor(1.0))
    opt = NewtonCG([{"params": [a], "scale": 10.0}, {"params": [b]}], radius=1e-3)
    opt.step(lambda: (a + b).sum() ** 2)
    assert (1 - a.item()) / (1 - b.item()) == pytest.approx(100.0)


def test_hessian_free_minimises_the_damped_model():
    torch.manual_seed(0)
    X, y = torch.randn(30, 5, dtype=F64), torch.randn(30, dtype=F64)
    w = torch.nn.Parameter(torch.zeros(5, dtype=F64))
    opt = HessianFree([w], damping=0.5, tolerance=1e-12, max_cg=60)

    def closure():
        outputs = X @ w
        return 0.5 * (outputs - y).square().mean(), outputs

    info = opt.step(closure)
    G, g = (X.T @ X / 30).numpy(), (-X.T @ y / 30).numpy()
    expected = -np.linalg.solve(G + 0.5 * np.eye(5), g)
    np.testing.assert_allclose(w.detach().numpy(), expected, rtol=1e-4)
    q = g @ expected + 0.5 * expected @ (G + 0.5 * np.eye(5)) @ expected
    assert info.ratio == pytest.approx((info.value_after - info.value) / q, rel=1e-4)
    assert info.damping == pytest.approx(0.5 * (2 / 3))


def test_martens_stop_and_the_iterates_kept():
    A = np.diag(np.logspace(0, 2.5, 200))
    b = np.ones(200)
    matrix, right = torch.tensor(A), torch.tensor(b)
    run = martens_cg(LinearOperator((200, 200), lambda v: matrix @ v), right, tolerance=5e-4)
    # an independent CG that stores everything
    x, r, d, values, xs = np.zeros(200), b.copy(), b.copy(), [0.0], [np.zeros(200)]
    for i in range(1, 251):
        alpha = r @ r / (d @ A @ d)
        x, fresh = x + alpha * d, r - alpha * (A @ d)
        d = fresh + (fresh @ fresh) / (r @ r) * d
        r = fresh
        values.append(0.5 * x @ A @ x - b @ x)
        xs.append(x)
        k = max(10, int(np.ceil(i / 10)))
        if i > k and values[i] < 0 and (values[i] - values[i - k]) / values[i] < k * 5e-4:
            break
    assert run.products == i
    np.testing.assert_allclose(run.kept[-1].x.numpy(), xs[-1], rtol=1e-6, atol=1e-9)
    assert run.kept[-1].q == pytest.approx(values[-1])
    assert run.kept[-1].curvature == pytest.approx(float(xs[-1] @ A @ xs[-1]))
    numbers = sorted({int(np.ceil(1.3**j)) for j in range(40)} & set(range(1, i + 1)) | {i})
    assert len(run.kept) == len(numbers)
    for found, number in zip(run.kept, numbers):
        assert found.q == pytest.approx(values[number])


def test_the_sample_diagonal_is_the_mean_squared_gradient():
    task = Task()
    opt = HessianFree(task.model.parameters(), check=False)
    from gradwright.solvers.optimizers.batches import Batches

    batches = Batches(opt, task.closure(opt), None, None)
    found = sample_diagonal(batches.point)
    squares = torch.zeros_like(found)
    for row in range(64):
        loss = (task.model(task.x[row]) - task.y[row]).square().mean()
        parts = torch.autograd.grad(loss, list(task.model.parameters()))
        squares += torch.cat([part.reshape(-1) for part in parts]).square() / 64
    torch.testing.assert_close(found, squares)


@each
def test_batches_for_gradient_curvature_and_evaluation(kind, options):
    task = Task()
    opt = kind(task.model.parameters(), **options)
    calls = []

    def counted(name, rows):
        inner = task.closure(opt, rows)

        def run():
            calls.append(name)
            return inner()

        return run

    for _ in range(6):
        whole = task.closure(opt)()[0].item()
        info = opt.step(
            counted("gradient", slice(0, 48)),
            curvature=counted("curvature", slice(0, 16)),
            evaluation=counted("evaluation", slice(None)),
        )
        assert info.value == pytest.approx(whole)
        assert info.value_after <= info.value
        assert info.value_after == pytest.approx(task.closure(opt)()[0].item())
    assert {"gradient", "curvature", "evaluation"} == set(calls)


@each
def test_resuming_is_bitwise(kind, options):
    def run(stop):
        task = Task()
        opt = kind(task.model.parameters(), **options)
        for index in range(8):
            if index == stop:
                saved, weights = opt.state_dict(), copy.deepcopy(task.model.state_dict())
                with torch.no_grad():
                    opt.step(task.closure(opt))
                task.model.load_state_dict(weights)
                opt = kind(task.model.parameters(), **options)
                opt.load_state_dict(copy.deepcopy(saved))
            opt.step(task.closure(opt))
        return task.flat()

    assert torch.equal(run(None), run(4))


@each
def test_state_survives_files_and_copies(kind, options, tmp_path):
    task = Task()
    opt = kind(task.model.parameters(), **options)
    opt.step(task.closure(opt))
    torch.save(opt.state_dict(), tmp_path / "state.pt")
    loaded = torch.load(tmp_path / "state.pt", weights_only=True)
    opt.load_state_dict(loaded)
    assert pickle.loads(pickle.dumps(opt)).memory["steps"] == 1
    assert copy.deepcopy(opt).best_value == opt.best_value
    with pytest.raises(ValueError, match="no solver state"):
        opt.load_state_dict(torch.optim.SGD(task.model.parameters(), lr=0.1).state_dict())


@each
def test_dropout_is_one_function_within_a_step(kind, options):
    task = Task(dropout=0.3)
    opt = kind(task.model.parameters(), **options)
    seen = []
    for _ in range(5):
        info = opt.step(task.closure(opt))
        seen.append(info.value)
        assert info.value_after <= info.value
    assert len(set(seen)) == 5


def test_a_batch_drawn_inside_is_found_out():
    task = Task()
    opt = NewtonCG(task.model.parameters())
    state = np.random.default_rng(0)
    with pytest.raises(NotDeterministic, match="draw the batch"):
        opt.step(lambda: task.closure(opt, state.integers(0, 64, 8).tolist())()[0])


@each
def test_nan_is_too_far_and_the_start_is_kept(kind, options):
    w = torch.nn.Parameter(tensor(1.9))
    opt = kind([w], **options)

    def closure():
        outputs = torch.log(w) - 50 * torch.sqrt(2 - w)
        return (outputs + 20).square().mean(), outputs

    for _ in range(15):
        info = opt.step(closure)
        assert np.isfinite(info.value_after)
        assert info.value_after <= info.value
    assert info.value_after < 1e-6
    before = w.detach().clone()
    bad = opt.step(lambda: ((w * float("nan")).sum(), w))
    assert bad.status is StepStatus.NON_FINITE
    assert torch.equal(before, w.detach())


@each
def test_the_best_point_comes_back(kind, options):
    task = Task()
    opt = kind(task.model.parameters(), **options)
    for _ in range(4):
        opt.step(task.closure(opt))
    best = task.flat()
    with torch.no_grad():
        for p in task.model.parameters():
            p.add_(1.0)
    assert opt.restore_best() == opt.best_value
    assert torch.equal(task.flat(), best)


def test_a_rejected_hessian_free_step_is_more_careful():
    w = torch.nn.Parameter(tensor(1.0))
    opt = HessianFree([w], damping=1e-3)
    info = opt.step(lambda: ((w * w).sum(), w), evaluation=lambda: (-(w * w)).sum())
    assert info.status is StepStatus.REJECTED
    assert info.damping == pytest.approx(1.5e-3)
    assert "warm" not in opt.state[w]
    assert float(w) == 1.0


@each
def test_a_grad_scaler_is_refused(kind, options):
    task = Task(dtype=torch.float32)
    opt = kind(task.model.parameters(), **options)
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale((task.model(task.x) - task.y).square().mean()).backward()
    with pytest.raises(ValueError, match="GradScaler"):
        scaler.step(opt, task.closure(opt))
    del opt.grad_scale, opt.found_inf

    def scaled():
        loss = (task.model(task.x) - task.y).square().mean()
        scaler.scale(loss).backward()
        return loss

    with pytest.raises(ValueError, match="unscaled"):
        opt.step(scaled)


def test_micro_batches_add_up():
    task, other = Task(), Task()
    one, many = NewtonCG(task.model.parameters()), NewtonCG(other.model.parameters())

    def pieces():
        many.zero_grad()
        total = 0.0
        for rows in (slice(0, 16), slice(16, 64)):
            loss = (other.model(other.x[rows]) - other.y[rows]).square().sum() / 64
            loss.backward()
            total = total + loss.detach()
        return total

    for _ in range(3):
        one.step(task.closure(one))
        many.step(pieces)
    torch.testing.assert_close(task.flat(), other.flat())


def test_differences_serve_where_second_derivatives_do_not_exist():
    task = Task()
    opt = NewtonCG(task.model.parameters(), hvp="finite-difference")
    first = opt.step(task.closure(opt))
    for _ in range(8):
        last = opt.step(task.closure(opt))
    assert last.value_after < 0.3 * first.value


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: NewtonCG([p], radius=-1.0), "radius=-1.0"),
        (lambda p: NewtonCG([p], hvp="exact"), "known are"),
        (lambda p: HessianFree([p], damping=0.0), "damping=0.0"),
        (lambda p: HessianFree([p], precondition="kfac"), "empirical-fisher"),
        (lambda p: LBFGS([p], history_size=0), "history_size=0"),
        (lambda p: LBFGS([p, torch.nn.Parameter(torch.zeros(1))]), "dtypes"),
        (lambda p: NewtonCG([p]).step(), "needs a closure"),
        (lambda p: NewtonCG([p]).restore_best(), "before any step"),
        (lambda p: NewtonCG([{"params": [p], "scale": 0.0}]).step(lambda: (p * p).sum()), "scale=0.0"),
        (lambda p: HessianFree([p]).step(lambda: (p * p).sum()), "return .loss, outputs."),
    ],
)
def test_bad_settings_are_refused_by_name(make, words):
    with pytest.raises(ValueError, match=words):
        make(torch.nn.Parameter(torch.ones(2, dtype=F64)))


def test_cg_keeps_the_last_iterate_before_negative_curvature():
    diagonal = torch.cat([torch.linspace(1, 40, 30, dtype=torch.float64), torch.tensor([-1e-3], dtype=torch.float64)])
    b = torch.ones(31, dtype=torch.float64)
    run = martens_cg(LinearOperator((31, 31), lambda v: diagonal * v), b, tolerance=1e-12)
    assert run.negative is not None
    assert run.negative < 0
    count = run.products - 1
    assert count not in {int(np.ceil(1.3**j)) for j in range(20)}, "it would have been kept anyway"
    # in exact arithmetic CG minimises q over the Krylov space
    space = np.linalg.qr(np.stack([diagonal.numpy() ** power for power in range(count)], axis=1))[0]
    model = space.T @ (diagonal.numpy()[:, None] * space)
    expected = space @ np.linalg.solve(model, space.T @ b.numpy())
    np.testing.assert_allclose(run.kept[-1].x.numpy(), expected, rtol=1e-3, atol=1e-6)


def test_a_group_that_sets_what_nobody_reads_is_refused():
    w = torch.nn.Parameter(tensor(1.0))
    for kind, key, words in (
        (NewtonCG, "sclae", "a group may set scale"),
        (HessianFree, "scale", "a group may set damping_scale"),
        (LBFGS, "lr", "groups set nothing"),
    ):
        with pytest.raises(ValueError, match=f"does not use '{key}'.*{words}"):
            kind([{"params": [w], key: 0.1}])


def test_gradients_made_out_of_sight_are_refused_by_name():
    w = torch.nn.Parameter(tensor(1.0, 2.0))

    def closure():
        loss = (w * w).sum()
        torch.autograd.backward(loss)
        return loss

    for _ in range(2):  # with and without a gradient from before
        with pytest.raises(ValueError, match=r"without loss.backward\(\)"):
            NewtonCG([w]).step(closure)
        w.grad = torch.ones_like(w)
    assert NewtonCG([w], hvp="finite-difference").step(closure).accepted

    def zeroing():
        w.grad.zero_()
        return (w * w).sum()

    assert NewtonCG([w]).step(zeroing).accepted


def test_a_loss_of_other_parameters_is_refused():
    w, other = torch.nn.Parameter(tensor(1.0)), torch.nn.Parameter(tensor(1.0))
    for closure in (lambda: (other * other).sum(), lambda: torch.tensor(1.0)):
        with pytest.raises(ValueError, match="does not depend on"):
            NewtonCG([w]).step(closure)


def test_searches_are_chosen_by_name():
    w = torch.nn.Parameter(tensor(3.0, -2.0))
    assert LBFGS([w], search="strong-wolfe").step(lambda: (w**4).sum()).accepted
    with pytest.raises(ValueError, match="known are backtracking, strong-wolfe, hager-zhang"):
        LBFGS([w], search="wolfe")
