"""One step with two evaluations: what is replayed, what is put back, what is refused."""

import copy
import pickle

import pytest
import torch
from torch import nn

import gradwright as gw
from gradwright.contract.training import changes, snapshot
from gradwright.optimizer.skipping import Skipping
from gradwright.sharpness import asam, friendly_sam, gsam, looksam, sam, wsam
from tests.sharpness.problem import START, A, C, Quadratic

EVERY = (sam, asam, gsam, wsam, looksam, friendly_sam)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Tanh())
        self.head = nn.Linear(8, 1)

    def forward(self, x):
        return self.head(self.body(x))


class Fit:
    """A net with dropout and BatchNorm, and what its evaluations saw."""

    def __init__(self, recipe, model=None, **knobs):
        torch.manual_seed(5)
        self.net = Net() if model is None else model
        self.optimizer = recipe(self.net.parameters(), **knobs)
        self.x = torch.randn(6, 4)
        self.masks, self.points, self.fail = [], [], None
        self.net.body[2].register_forward_hook(lambda module, inputs, output: self.masks.append(output == 0))

    def loss(self):
        self.points.append(snapshot_of(self.net))
        if self.fail == len(self.points):
            raise KeyboardInterrupt
        return self.net(self.x).square().mean()

    def closure(self):
        self.optimizer.zero_grad()
        loss = self.loss()
        loss.backward()
        return loss


def snapshot_of(net):
    return [one.detach().clone() for one in (*net.parameters(), *net.buffers())]


def equal(one, other):
    return all(map(torch.equal, one, other))


@pytest.mark.parametrize("combinator", EVERY)
def test_dropout_is_replayed_and_statistics_count_once(combinator):
    fit, once = Fit(combinator(gw.SGD), rho=0.5), Fit(gw.SGD)
    for one in (fit, once):
        torch.manual_seed(9)
        one.optimizer.step(one.closure)
        one.after = torch.rand(3)
    assert len(fit.masks) == 2
    assert torch.equal(*fit.masks)
    assert not equal(*fit.points)
    assert torch.equal(fit.after, once.after)
    for mine, its in zip(fit.net.buffers(), once.net.buffers()):
        assert torch.equal(mine, its)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_weights_are_back_bit_for_bit_whatever_the_closure_raises(dtype):
    fit = Fit(sam(gw.AdamW), rho=3.0)
    fit.net.to(dtype)
    fit.x = fit.x.to(dtype)
    fit.optimizer.step(fit.closure)
    before, state, rng = snapshot_of(fit.net), snapshot(fit.optimizer), torch.get_rng_state()
    for fails in (1, 2):
        fit.points.clear()
        fit.fail = fails
        with pytest.raises(KeyboardInterrupt):
            fit.optimizer.step(fit.closure)
        assert len(fit.points) == fails
        assert equal(list(fit.net.parameters()), before[:6])
        assert not changes(state, snapshot(fit.optimizer))
    assert not equal(fit.points[0][:6], fit.points[1][:6])
    assert not fit.optimizer.perturbed
    fit.fail = None
    torch.set_rng_state(rng)
    fit.optimizer.step(fit.closure)
    assert changes(state, snapshot(fit.optimizer))


def test_a_radius_of_zero_is_the_base_bit_for_bit():
    for combinator in (sam, asam, friendly_sam):
        one, other = Fit(combinator(gw.AdamW), rho=0.0), Fit(gw.AdamW)
        for fit in (one, other):
            torch.manual_seed(3)
            for _ in range(3):
                fit.optimizer.step(fit.closure)
        assert equal(list(one.net.parameters()), list(other.net.parameters()))


def test_the_second_evaluation_is_where_the_equation_says_and_the_first_loss_comes_back():
    run = Quadratic(sam(gw.SGD), lr=0.1, rho=0.1)
    seen = []

    def closure():
        seen.append(run.x.detach().clone())
        return run.closure()

    assert run.optimizer.step(closure).item() == pytest.approx(3.5875)
    g = torch.tensor([1.15, -2.95, 1.55], dtype=torch.float64)
    torch.testing.assert_close(seen[1] - seen[0], 0.1 * g / g.norm())


def test_looks_at_every_kth_step_only():
    run = Quadratic(looksam(gw.SGD), lr=0.01, looksam_k=3)
    counts = []
    for _ in range(7):
        before = run.calls
        run.step()
        counts.append(run.calls - before)
    assert counts == [2, 1, 1, 2, 1, 1, 2]


@pytest.mark.parametrize("combinator", [looksam, friendly_sam, wsam])
def test_a_resumed_run_is_the_same(combinator):
    run = Quadratic(combinator(gw.AdamW), lr=0.05, rho=0.2)
    run.step(4)
    other = Quadratic(combinator(gw.AdamW), start=run.x.detach().numpy(), lr=0.05, rho=0.2)
    other.optimizer.load_state_dict(copy.deepcopy(run.optimizer.state_dict()))
    assert (run.step(4) == other.step(4)).all()


def test_copies_step_alike():
    run = Quadratic(friendly_sam(gw.AdamW), lr=0.05, rho=0.2)
    run.step(2)
    other = pickle.loads(pickle.dumps(run))
    assert (run.step(3) == other.step(3)).all()


@pytest.mark.parametrize("combinator", EVERY)
def test_a_scaler_changes_nothing(combinator):
    plain, scaled = Quadratic(combinator(gw.AdamW), lr=0.05), Quadratic(combinator(gw.AdamW), lr=0.05)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)

    def closure():
        scaled.optimizer.zero_grad()
        return scaled.loss()

    for _ in range(4):
        plain.step()
        scaled.optimizer.step(closure, scaler=scaler)
    assert (plain.x == scaled.x).all()


@pytest.mark.parametrize("overflows", [1, 2])
def test_an_overflow_in_either_pass_skips_the_step_and_halves_the_scale(overflows):
    run = Quadratic(friendly_sam(gw.AdamW), lr=0.05)
    scaler, calls = torch.amp.GradScaler("cpu", init_scale=1024.0), []

    def closure():
        run.optimizer.zero_grad()
        calls.append(1)
        return run.loss() * (torch.inf if len(calls) == overflows else 1.0)

    before = snapshot(run.optimizer)
    run.optimizer.step(closure, scaler=scaler)
    assert len(calls) == overflows
    assert scaler.get_scale() == 512.0
    assert not changes(before, snapshot(run.optimizer))


def test_clipping_sees_the_combined_gradient():
    run = Quadratic(gsam(gw.SGD), lr=0.1, rho=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    seen = []

    def clip():
        seen.append(torch.cat([run.p.grad, run.q.grad]).clone())
        nn.utils.clip_grad_norm_([run.p, run.q], 1.0)

    def closure():
        run.optimizer.zero_grad()
        return run.loss()

    run.optimizer.step(closure, scaler=scaler, on_unscaled=clip)
    after = torch.tensor((0.882279834704, -1.690409493140, 0.333242652044), dtype=torch.float64)
    torch.testing.assert_close(seen[0], (torch.from_numpy(START) - after) / 0.1, atol=1e-10, rtol=0)
    assert (run.x.detach() - torch.from_numpy(START)).norm() == pytest.approx(0.1, rel=1e-5)


@pytest.mark.parametrize("kind", ["host", "device"])
@pytest.mark.parametrize("breaks", [1, 2])
def test_a_step_that_is_not_finite_is_skipped_whole(kind, breaks, monkeypatch):
    if kind == "device":
        monkeypatch.setattr(Skipping, "_decides_on_host", lambda self, params, grads: False)
    run = Quadratic(friendly_sam(gw.AdamW), lr=0.05, skip_nonfinite=True, engine="eager")
    run.step(2)
    before, calls, _ = snapshot(run.optimizer), run.calls, run.optimizer.skipped

    def closure():
        loss = run.closure()
        if run.calls - calls == breaks:
            run.q.grad.fill_(torch.nan)
        return loss

    run.optimizer.step(closure)
    assert run.optimizer.skipped == 1
    assert not changes(before, snapshot(run.optimizer))


def test_one_radius_a_group_and_one_norm_for_all():
    knobs = [("weight", 0.1), ("bias", 0.0)]
    run = Quadratic(sam(gw.SGD), lr=0.1)
    groups = [{"params": [p], "rho": rho} for p, (_, rho) in zip((run.p, run.q), knobs)]
    run.optimizer = sam(gw.SGD)(groups, lr=0.1)
    seen = []
    run.optimizer.step(lambda: (seen.append(run.x.detach().clone()), run.closure())[1])
    g = torch.tensor([1.15, -2.95, 1.55], dtype=torch.float64)
    expected = torch.cat([0.1 * g[:2] / g.norm(), torch.zeros(1, dtype=torch.float64)])
    torch.testing.assert_close(seen[1] - seen[0], expected)


def test_routed_beside_a_recipe_that_looks_once():
    """The other recipe's parameters stay where they are, are not in the norm, and take the second gradient."""
    run = Quadratic(gw.SGD)
    run.optimizer = gw.Optimizer(
        [
            {"params": [run.p], "recipe": sam(gw.SGD).recipe_name, "lr": 0.1, "rho": 0.1},
            {"params": [run.q], "recipe": "SGD", "lr": 0.1},
        ]
    )
    found = run.step()
    g = torch.tensor([1.15, -2.95], dtype=torch.float64)
    e = torch.cat([0.1 * g / g.norm(), torch.zeros(1, dtype=torch.float64)])
    a, c = torch.from_numpy(A), torch.from_numpy(C)
    start = torch.from_numpy(START)
    torch.testing.assert_close(torch.from_numpy(found), start - 0.1 * (a @ (start + e) - c))


def test_accumulated_micro_batches_are_one_batch():
    torch.manual_seed(1)
    x, starts = torch.randn(8, 4, dtype=torch.float64), nn.Linear(4, 1).double()
    whole, parts = copy.deepcopy(starts), copy.deepcopy(starts)
    first, second = (sam(gw.SGD)(net.parameters(), lr=0.1, rho=0.3) for net in (whole, parts))

    def all_at_once():
        first.zero_grad()
        whole(x).square().mean().backward()

    def in_turn():
        second.zero_grad()
        for some in x.chunk(4):
            (parts(some).square().mean() / 4).backward()

    for _ in range(3):
        first.step(all_at_once)
        second.step(in_turn)
    torch.testing.assert_close(whole.weight, parts.weight)


def test_gradients_that_nobody_cleared_do_not_add_up_between_the_passes():
    run, other = Quadratic(sam(gw.SGD), lr=0.1), Quadratic(sam(gw.SGD), lr=0.1)

    def closure():
        loss = other.loss()
        loss.backward()
        return loss

    for _ in range(2):
        run.step()
        other.optimizer.zero_grad()
        other.optimizer.step(closure)
    assert (run.x == other.x).all()


def test_a_parameter_without_a_gradient_stays():
    run = Quadratic(sam(gw.SGD), lr=0.1)
    rest = torch.ones(2, requires_grad=True)
    run.optimizer.add_param_group({"params": [("rest", rest)], "rho": 5.0})
    run.step(2)
    assert torch.equal(rest.detach(), torch.ones(2))


def test_a_gradient_that_is_always_the_same_shows_nothing_new():
    p = torch.ones(3, requires_grad=True)
    optimizer = friendly_sam(gw.SGD)([p], lr=0.1, rho=10.0)
    seen = []

    def closure():
        seen.append(p.detach().clone())
        p.grad = torch.full((3,), 0.3)
        return torch.tensor(1.0)

    for _ in range(3):
        optimizer.step(closure)
    assert torch.equal(seen[2], seen[3])
    assert torch.equal(seen[4], seen[5])


def test_explain_says_what_a_step_costs():
    run = Quadratic(looksam(gw.SGD), looksam_k=4)
    assert "looks twice: 1.25 gradients a step; g is what LookSam makes of them" in run.optimizer.explain()
    assert "looks twice" not in Quadratic(gw.SGD).optimizer.explain()


def test_hooks_and_schedulers_see_one_step():
    run = Quadratic(sam(gw.SGD), lr=0.1)
    heard = []
    run.optimizer.register_step_pre_hook(lambda *_: heard.append("before"))
    run.optimizer.register_step_post_hook(lambda *_: heard.append("after"))
    scheduler = torch.optim.lr_scheduler.LambdaLR(run.optimizer, lambda epoch: 0.5**epoch)
    run.step()
    scheduler.step()
    assert heard == ["before", "after"]
    assert run.optimizer.param_groups[0]["lr"] == 0.05
    assert run.optimizer.param_groups[0]["clock"] == 1


def test_a_compiled_model_is_given_for_its_statistics():
    pytest.importorskip("torch._dynamo")
    fit, once = Fit(sam(gw.SGD), rho=0.5), Fit(gw.SGD)
    for one in (fit, once):
        one.net.body[2].p = 0.0
        compiled = torch.compile(one.net, backend="eager")
        one.net_call = compiled
        one.loss = lambda one=one: one.net_call(one.x).square().mean()
    fit.optimizer.step(fit.closure, model=fit.net_call)
    once.optimizer.step(once.closure)
    for mine, its in zip(fit.net.buffers(), once.net.buffers()):
        assert torch.equal(mine, its)


REFUSED = {
    "no closure": (lambda run: run.optimizer.step(), ValueError, "SAMSGD looks twice: call step.closure."),
    "a loss": (lambda run: run.optimizer.step(loss=1.0), ValueError, "SAMSGD looks twice"),
    "a scaler's step": (
        lambda run: torch.amp.GradScaler("cpu", enabled=False).step(run.optimizer),
        ValueError,
        "step.closure, scaler=scaler.",
    ),
    "a step within": (
        lambda run: run.optimizer.step(lambda: (run.closure(), run.calls > 1 and run.optimizer.step(run.closure))[0]),
        RuntimeError,
        "the weights are perturbed",
    ),
    "saved within": (
        lambda run: run.optimizer.step(lambda: (run.closure(), run.calls > 1 and run.optimizer.state_dict())[0]),
        RuntimeError,
        "the weights are perturbed",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_and_moves_nothing(case):
    act, kind, message = REFUSED[case]
    run = Quadratic(sam(gw.SGD), lr=0.1)
    run.p.grad, run.q.grad = torch.ones_like(run.p), torch.ones_like(run.q)
    before = snapshot(run.optimizer)
    with pytest.raises(kind, match=message):
        act(run)
    assert not changes(before, snapshot(run.optimizer))


@pytest.mark.parametrize("combinator", [asam, gsam, looksam, sam])
def test_two_looks_in_one_recipe(combinator):
    with pytest.raises(ValueError, match=r"would each look twice in one step|does already what"):
        combinator(sam(gw.SGD))([torch.ones(2, requires_grad=True)])


def test_two_ways_in_one_optimizer():
    first, second = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    groups = [
        {"params": [first], "recipe": sam(gw.SGD).recipe_name},
        {"params": [second], "recipe": gsam(gw.SGD).recipe_name},
    ]
    with pytest.raises(ValueError, match="GSAMSGD and SAMSGD look twice in different ways"):
        gw.Optimizer(groups).step(lambda: None)


def test_a_sparse_gradient():
    table = nn.Embedding(5, 2, sparse=True)
    optimizer = sam(gw.SGD)(table.parameters())
    with pytest.raises(ValueError, match="is sparse, and rows that rest cannot be looked at twice"):
        optimizer.step(lambda: table(torch.tensor([1])).sum().backward())


def test_released_gradients():
    net = nn.Linear(2, 1)
    optimizer = sam(gw.SGD)(net.parameters())
    with gw.training.release(net, optimizer), pytest.raises(RuntimeError, match="SAMSGD looks twice in a step"):
        optimizer.step(lambda: net(torch.ones(1, 2)).sum().backward())


def test_arguments_of_recipes_that_look_once():
    p = torch.ones(2, requires_grad=True)
    with pytest.raises(TypeError, match="are for recipes that look twice"):
        gw.SGD([p]).step(lambda: None, first_pass=torch.no_grad)
    with pytest.raises(ValueError, match="leave out first_pass"):
        gsam(gw.SGD)([p]).step(lambda: None, first_pass=torch.no_grad)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: looksam(gw.SGD)([torch.ones(2, requires_grad=True)], looksam_k=0), "looksam_k=0"),
        (lambda: sam(gw.SGD)([torch.ones(2, requires_grad=True)], rho=-1.0), "rho=-1"),
        (lambda: wsam(gw.SGD)([torch.ones(2, requires_grad=True)], wsam_gamma=1.0), "gamma"),
        (lambda: wsam(gw.Prodigy), "give decoupled=False"),
    ],
)
def test_settings_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()
