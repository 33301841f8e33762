"""What closures may do to gradients, what they may return, and who may look for a learning rate."""

import copy
import pickle

import pytest
import torch
from torch.optim import lr_scheduler

from gradwright.solvers.optimizers import LBFGS, HessianFree, NewtonCG
from tests.solvers.problems import F64, tensor

KINDS = [NewtonCG, LBFGS, HessianFree]
each = pytest.mark.parametrize("kind", KINDS)
both = pytest.mark.parametrize("hvp", ["auto", "finite-difference"])


class Task:
    def __init__(self):
        torch.manual_seed(0)
        self.net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).to(F64)
        self.x = torch.randn(8, 3, dtype=F64)
        self.first = self.net[0].weight

    def loss(self):
        return (self.net(self.x) - self.x.sum(1, keepdim=True).sin()).square().mean()

    def closure(self, opt, after=lambda net: None):
        def run():
            opt.zero_grad()
            loss = self.loss()
            loss.backward()
            after(self.net)
            return loss

        return run

    @property
    def flat(self):
        return torch.cat([p.detach().reshape(-1) for p in self.net.parameters()])


def decay(net):
    for p in net.parameters():
        p.grad += 0.1 * p.detach()


def decay_behind_autograd(net):
    for p in net.parameters():
        p.grad.data.add_(p.data, alpha=0.1)


def signs(net):
    for p in net.parameters():
        p.grad = p.grad.sign()


def missing(net):
    net[0].weight.grad = None


def deleted(net):
    del net[0].weight.grad


EDITS = {
    "clipped": lambda net: torch.nn.utils.clip_grad_norm_(net.parameters(), 1e-3),
    "clipped by value": lambda net: torch.nn.utils.clip_grad_value_(net.parameters(), 1e-3),
    "decay": decay,
    "decay behind autograd": decay_behind_autograd,
    "signs": signs,
    "many at once": lambda net: torch._foreach_mul_([p.grad for p in net.parameters()], 0.5),
    "zeroed": lambda net: net[0].weight.grad.zero_(),
    "missing": missing,
    "deleted": deleted,
}


@both
@pytest.mark.parametrize("edit", EDITS)
def test_a_changed_gradient_is_refused(edit, hvp):
    task = Task()
    opt = NewtonCG(task.net.parameters(), hvp=hvp)
    before = task.flat
    with pytest.raises(ValueError, match=r"changes the gradient of parameter 0 .* put decay and penalties into the"):
        opt.step(task.closure(opt, EDITS[edit]))
    assert torch.equal(before, task.flat)


@both
@pytest.mark.parametrize("kind", [NewtonCG, LBFGS])
def test_a_gradient_that_is_looked_at_is_the_true_one(kind, hvp):
    task, plain = Task(), Task()
    opt, other = kind(task.net.parameters(), hvp=hvp), kind(plain.net.parameters(), hvp=hvp)
    seen = []

    def look(net):
        seen.append(torch.cat([p.grad.reshape(-1) for p in net.parameters()]))
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1e6)  # never clips

    expected = torch.autograd.grad(task.loss(), list(task.net.parameters()))
    opt.step(task.closure(opt, look))
    other.step(plain.closure(other))
    torch.testing.assert_close(seen[0], torch.cat([g.reshape(-1) for g in expected]))
    assert torch.equal(task.flat, plain.flat)


@pytest.mark.parametrize("clear", [{"set_to_none": True}, {"set_to_none": False}])
def test_clearing_afterwards_is_no_change_where_backward_is_recorded(clear):
    task, plain = Task(), Task()
    opt, other = NewtonCG(task.net.parameters()), NewtonCG(plain.net.parameters())
    opt.step(task.closure(opt, lambda net: net.zero_grad(**clear)))
    other.step(plain.closure(other))
    assert torch.equal(task.flat, plain.flat)
    opt = NewtonCG(task.net.parameters(), hvp="finite-difference")
    with pytest.raises(ValueError, match=r"clears .grad after backward"):
        opt.step(task.closure(opt, lambda net: net.zero_grad(**clear)))


def test_micro_batches_may_be_looked_at():
    task, plain = Task(), Task()
    opt, other = LBFGS(task.net.parameters()), LBFGS(plain.net.parameters())
    norms = []

    def pieces():
        opt.zero_grad()
        total = 0.0
        for rows in (slice(0, 4), slice(4, 8)):
            loss = (task.net(task.x[rows]) - task.x[rows].sum(1, keepdim=True).sin()).square().sum() / 8
            loss.backward()
            norms.append(float(task.first.grad.norm()))
            total += float(loss.detach())
        return total

    opt.step(pieces)
    other.step(plain.closure(other))
    torch.testing.assert_close(task.flat, plain.flat)
    expected = torch.autograd.grad(Task().loss(), Task().first, allow_unused=True)[0]
    assert expected is None  # of another net
    fresh = Task()
    assert norms[1] == pytest.approx(float(torch.autograd.grad(fresh.loss(), fresh.first)[0].norm()))


@both
@pytest.mark.parametrize("kind", [NewtonCG, LBFGS])
def test_an_attack_on_the_inputs_inside_the_closure(kind, hvp):
    task, plain = Task(), Task()
    opt, other = kind(task.net.parameters(), hvp=hvp), kind(plain.net.parameters(), hvp=hvp)
    y = task.x.sum(1, keepdim=True).sin()

    def loss_at(net, x):
        return (net(x) - y).square().mean()

    def closure():
        x = task.x.clone().requires_grad_()
        loss_at(task.net, x).backward()
        attacked = (x + 0.1 * x.grad.sign()).detach()
        opt.zero_grad()
        loss = loss_at(task.net, attacked)
        loss.backward()
        return loss

    def reference():
        x = plain.x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(loss_at(plain.net, x), x)
        return loss_at(plain.net, (x + 0.1 * slope.sign()).detach())

    for _ in range(3):
        assert opt.step(closure).value_after == pytest.approx(other.step(reference).value_after, rel=1e-6)
    torch.testing.assert_close(task.flat, plain.flat, rtol=1e-5, atol=1e-7)


@both
@pytest.mark.parametrize(
    "hook", [lambda g: 0.5 * g, lambda g: g.clamp(-1e-3, 1e-3), lambda g: g + 1e-3, lambda g: torch.sign(g)]
)
@pytest.mark.parametrize("kind", [NewtonCG, LBFGS])
def test_hooks_that_change_the_gradient_are_refused(kind, hook, hvp):
    task = Task()
    task.first.register_hook(hook)
    opt = kind(task.net.parameters(), hvp=hvp)
    with pytest.raises(ValueError, match=r"hook on parameter 0 .* changes its gradient"):
        opt.step(task.closure(opt))


@both
@each
def test_hooks_may_mask(kind, hvp):
    task = Task()
    mask = (torch.arange(12).view(4, 3) % 2).to(F64)
    state = {"mask": mask}
    task.first.register_hook(lambda g: g * state["mask"])
    opt = kind(task.net.parameters(), hvp=hvp)
    for state["mask"] in (mask, 1 - mask):  # what one mask lets through must not be moved under the other
        held = task.first.detach().clone()
        for _ in range(3):
            assert opt.step(task.closure(opt)).accepted
        hidden = state["mask"] == 0
        assert torch.equal(task.first[hidden], held[hidden])
        assert not torch.equal(task.first[~hidden], held[~hidden])
    assert len(task.first._backward_hooks) == 1


def test_a_masked_entry_without_slope_is_still_masked():
    w = torch.nn.Parameter(tensor(0.0, 0.0))
    w.register_hook(lambda g: g * tensor(1.0, 0.0))
    opt = NewtonCG([w])
    opt.step(lambda: (w[0] - 1) ** 2 + w[0] * w[1] + w[1] ** 2)  # no slope in w[1] here, but curvature with w[0]
    assert w.tolist() == [1.0, 0.0]


@both
def test_hooks_may_look_on(hvp):
    task, plain, seen = Task(), Task(), []
    task.first.register_hook(lambda g: seen.append(float(g.norm())))
    opt, other = NewtonCG(task.net.parameters(), hvp=hvp), NewtonCG(plain.net.parameters(), hvp=hvp)
    opt.step(task.closure(opt))
    other.step(plain.closure(other))
    assert torch.equal(task.flat, plain.flat)
    fresh = Task()
    assert seen[0] == pytest.approx(float(torch.autograd.grad(fresh.loss(), fresh.first)[0].norm()))


def test_hooks_that_wait_for_backward_are_refused_where_none_runs():
    task = Task()
    handle = task.first.register_post_accumulate_grad_hook(lambda p: p.grad.mul_(0.5))
    opt = NewtonCG(task.net.parameters())
    with pytest.raises(ValueError, match=r"parameter 0 .*register_post_accumulate_grad_hook"):
        opt.step(task.closure(opt))
    handle.remove()
    assert opt.step(task.closure(opt)).accepted


SCHEDULERS = {
    "StepLR": lambda opt: lr_scheduler.StepLR(opt, 3),
    "LambdaLR": lambda opt: lr_scheduler.LambdaLR(opt, lambda epoch: 1.0),
    "CosineAnnealingLR": lambda opt: lr_scheduler.CosineAnnealingLR(opt, 3),
    "ReduceLROnPlateau": lambda opt: lr_scheduler.ReduceLROnPlateau(opt),
    "OneCycleLR": lambda opt: lr_scheduler.OneCycleLR(opt, 0.1, 10),
    "OneCycleLR, no momentum": lambda opt: lr_scheduler.OneCycleLR(opt, 0.1, 10, cycle_momentum=False),
    "CyclicLR": lambda opt: lr_scheduler.CyclicLR(opt, 0.1, 0.2, cycle_momentum=False),
    "by hand": lambda opt: opt.param_groups[0].update(lr=0.1),
    "in place": lambda opt: opt.param_groups[0].__ior__({"lr": 0.1}),
    "by default": lambda opt: opt.param_groups[0].setdefault("lr", 0.1),
}


@pytest.mark.parametrize("name", SCHEDULERS)
@each
def test_a_scheduler_of_a_learning_rate_is_refused(kind, name):
    task = Task()
    for opt in (kind(task.net.parameters()), copy.deepcopy(kind(task.net.parameters()))):
        opt = pickle.loads(pickle.dumps(opt))
        with pytest.raises(ValueError, match=rf"{kind.__name__} does not use '.*lr'.* has no learning rate: the"):
            SCHEDULERS[name](opt)
        assert list(opt.param_groups[0]) == ["params"]


def test_settings_of_groups_are_checked_whoever_sets_them():
    task = Task()
    opt = NewtonCG(task.net.parameters())
    opt.param_groups[0]["scale"] = 2.0
    for value in (0.0, float("nan"), "large"):
        with pytest.raises(ValueError, match=r"scale=.* must be a positive number"):
            opt.param_groups[0]["scale"] = value
    assert opt.param_groups[0]["scale"] == 2.0
    with pytest.raises(KeyError, match="damping_scale"):
        opt.param_groups[0]["damping_scale"]
    opt.param_groups[0] = {**opt.param_groups[0], "lr": 0.1}  # a plain dictionary, put in by hand
    with pytest.raises(ValueError, match="does not use 'lr'"):
        opt.step(task.closure(opt))


@both
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda loss: torch.stack([loss, loss]), r"tensor of shape \(2,\); it must return one number"),
        (lambda loss: (loss, 1, 2), "returned 3 things; return the loss, or"),
        (lambda loss: [loss], "returned a list"),
        (lambda loss: {"loss": loss}, "returned a dict"),
        (lambda loss: "loss", "returned a str"),
        (lambda loss: loss.detach() + 0j, "complex"),
        (lambda loss: 2 * float(loss.detach()), "return the sum of those losses"),
        (lambda loss: loss.detach() * 65536.0, "unscaled"),
    ],
)
def test_what_a_closure_may_not_return(answer, words, hvp):
    task = Task()
    opt = NewtonCG(task.net.parameters(), hvp=hvp)

    def closure():
        opt.zero_grad()
        loss = task.loss()
        loss.backward()
        return answer(loss)

    with pytest.raises((TypeError, ValueError), match=words):
        opt.step(closure)


@both
def test_what_a_closure_may_return(hvp):
    found = []
    for answer in (lambda loss: loss, lambda loss: loss.detach(), lambda loss: float(loss.detach()), lambda loss: None):
        task = Task()
        opt = NewtonCG(task.net.parameters(), hvp=hvp)

        def closure(opt=opt, task=task, answer=answer):
            opt.zero_grad()
            loss = task.loss()
            loss.backward()
            return answer(loss)

        opt.step(closure)
        found.append(task.flat)
    task = Task()
    NewtonCG(task.net.parameters(), hvp=hvp).step(task.loss)  # no backward at all
    for other in found:
        torch.testing.assert_close(other, task.flat, rtol=1e-6, atol=1e-9)


@both
def test_a_closure_without_a_gradient_is_refused(hvp):
    task = Task()
    for closure in (lambda: task.loss().detach(), lambda: 1.0, lambda: None):
        with pytest.raises((TypeError, ValueError), match=r"left no gradient|does not depend|returned a"):
            NewtonCG(task.net.parameters(), hvp=hvp).step(closure)


@both
def test_backward_on_some_parameters_or_many_numbers_is_refused(hvp):
    task = Task()

    def partial():
        loss = task.loss()
        loss.backward(inputs=[task.first])
        return loss

    def many():
        losses = task.net(task.x).square()
        losses.backward()
        return losses.mean()

    for closure, words in ((partial, r"backward\(inputs=...\)"), (many, r"backward\(\) on a tensor of shape \(8, 1\)")):
        with pytest.raises(ValueError, match=words):
            NewtonCG(task.net.parameters(), hvp=hvp).step(closure)


@both
@each
def test_sparse_gradients(kind, hvp):
    torch.manual_seed(0)
    sparse = torch.nn.Embedding(5, 3, sparse=True, dtype=F64)
    plain = torch.nn.Embedding(5, 3, dtype=F64)
    plain.load_state_dict(sparse.state_dict())
    rows = torch.tensor([1, 2, 2])
    for table in (sparse, plain):
        opt = kind(table.parameters(), hvp=hvp)

        def closure(opt=opt, table=table):
            opt.zero_grad()
            outputs = table(rows)
            loss = (outputs**2 - 1).square().mean()
            loss.backward()
            return loss, outputs

        for _ in range(2):
            opt.step(closure)
    torch.testing.assert_close(sparse.weight, plain.weight)


@each
def test_what_takes_no_part_stays(kind):
    task = Task()
    idle = torch.nn.Parameter(torch.ones(3, dtype=F64))
    opt = kind([idle, *task.net.parameters()])

    def closure():
        outputs = task.net(task.x)
        return outputs.square().mean(), outputs

    for _ in range(3):
        opt.step(closure)
    assert idle.tolist() == [1.0, 1.0, 1.0]


@each
def test_a_weight_that_two_layers_share(kind):
    torch.manual_seed(0)
    a, b = torch.nn.Linear(3, 3, dtype=F64), torch.nn.Linear(3, 3, dtype=F64)
    b.weight = a.weight
    net, x = torch.nn.Sequential(a, torch.nn.Tanh(), b), torch.randn(8, 3, dtype=F64)
    opt = kind(net.parameters())

    def closure():
        outputs = net(x)
        return (outputs - x.cos()).square().mean(), outputs

    for _ in range(4):
        assert opt.step(closure).accepted
    assert a.weight is b.weight


def test_inference_mode_is_refused():
    task = Task()
    opt = NewtonCG(task.net.parameters())
    with torch.inference_mode(), pytest.raises(ValueError, match="inference_mode"):
        opt.step(task.loss)


@pytest.mark.slow  # the first compilation imports for seconds
@each
def test_a_model_that_is_compiled(kind):
    task = Task()
    compiled = torch.compile(task.net, backend="eager")
    opt = kind(task.net.parameters())

    def closure():
        opt.zero_grad()
        outputs = compiled(task.x)
        loss = outputs.square().mean()
        loss.backward()
        return loss, outputs

    assert opt.step(closure).accepted


@both
def test_several_processes_are_refused(hvp, tmp_path, monkeypatch):
    task = Task()
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        parallel = torch.nn.parallel.DistributedDataParallel(task.net)
        opt = NewtonCG(task.net.parameters(), hvp=hvp)

        def closure():
            opt.zero_grad()
            loss = parallel(task.x).square().mean()
            loss.backward()
            return loss

        assert opt.step(closure).accepted  # one process is alone
        monkeypatch.setattr(type(parallel.process_group), "size", lambda self: 2)
        with pytest.raises(ValueError, match="DistributedDataParallel over 2 processes"):
            opt.step(closure)
    finally:
        torch.distributed.destroy_process_group()


class Halt(Exception):
    """What stops a closure in the middle of a step."""


@pytest.mark.parametrize("after", [0, 1, 2])
@each
def test_a_closure_that_fails_leaves_everything_as_it_was(kind, after):
    task = Task()
    opt = kind(task.net.parameters(), hvp="auto")
    left = [100]

    def closure():
        if left[0] == 0:
            raise Halt
        left[0] -= 1
        outputs = task.net(task.x)
        return outputs.square().mean() + 0 * torch.rand(()), outputs

    opt.step(closure)
    before, left[0] = task.flat, after
    with pytest.raises(Halt):
        opt.step(closure, evaluation=lambda: (closure()[0] + 1e9, None))  # never good enough, so it goes on trying
    assert torch.equal(task.flat, before)
    left[0] = 100
    assert opt.step(closure).accepted


@both
@each
def test_low_precision_and_empty_parameters(kind, hvp):
    torch.manual_seed(0)
    net = torch.nn.Linear(4, 2).bfloat16()
    empty = torch.nn.Parameter(torch.empty(0, dtype=torch.bfloat16))
    x = torch.randn(16, 4, dtype=torch.bfloat16)
    opt = kind([empty, *net.parameters()], hvp=hvp)
    first = None
    for _ in range(4):
        info = opt.step(lambda: pair(net, x))
        first = info.value if first is None else first
    assert info.value_after < first


def pair(net, x):
    outputs = net(x)
    return (outputs - 1).square().mean(), outputs
