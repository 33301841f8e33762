"""Random sequences of what happens to a training solver between steps, against a plain model of what must hold."""

import copy
import io
import random

import pytest
import torch

from gradwright.solvers import optimizers
from gradwright.solvers.optimizers import LBFGS, HessianFree, NewtonCG
from tests.solvers.problems import F64

KINDS = {
    "newton-cg": (NewtonCG, {}, "scale"),
    "newton-cg, differences": (NewtonCG, {"hvp": "finite-difference"}, "scale"),
    "l-bfgs": (LBFGS, {"history_size": 3}, None),
    "hessian-free": (HessianFree, {"damping": 0.3}, "damping_scale"),
}


class Net(torch.nn.Module):
    """A few weights of different shapes, two of them alike, and one that no optimizer holds at first."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = (torch.nn.Linear(3, 3, dtype=F64) for _ in range(2))
        self.late = torch.nn.Parameter(torch.full((3,), 0.5, dtype=F64))

    def forward(self, x):
        return self.second(torch.tanh(self.first(x))) * self.late


class World:
    """An optimizer over its net, and what a plain model says about both."""

    def __init__(self, name, draw):
        self.kind, self.options, self.setting = KINDS[name]
        self.draw, self.net = draw, Net()
        self.names = ["first.weight", "second.weight", "first.bias"], ["second.bias"]
        self.opt = self.optimizer(self.net)
        self.best_value, self.best = float("inf"), {}
        self.ever_trained = set()
        self.data = torch.Generator().manual_seed(draw.randrange(1000))

    def optimizer(self, net):
        weights = dict(net.named_parameters())
        groups = [{"params": [weights[name] for name in names]} for names in self.names]
        if self.setting:
            groups[1][self.setting] = 2.0
        return self.kind(groups, **self.options)

    @property
    def weights(self):
        return {name: weight.detach().clone() for name, weight in self.net.named_parameters()}

    @property
    def held(self):
        return [name for names in self.names for name in names]

    def closure(self, net, opt, x):
        def run():
            opt.zero_grad()
            outputs = net(x)
            loss = (outputs - torch.sin(x.sum(1, keepdim=True))).square().mean()
            loss.backward()
            return loss, outputs

        return run

    def step(self):
        x, before = torch.randn(6, 3, dtype=F64, generator=self.data), self.weights
        info = self.opt.step(self.closure(self.net, self.opt, x))
        after = self.weights
        for name, weight in self.net.named_parameters():
            if name not in self.held or not weight.requires_grad:
                assert torch.equal(before[name], after[name]), f"{name} is not trained and moved"
            else:
                self.ever_trained.add(name)
        self.see(info.value, before)
        if info.accepted:
            self.see(info.value_after, after)
        else:
            assert all(torch.equal(before[name], after[name]) for name in before)
        assert self.opt.best_value == self.best_value
        return info, after

    def see(self, value, weights):
        if value < self.best_value:
            self.best_value, self.best = value, weights

    def freeze(self):
        trained = [name for name in self.held if self.net.get_parameter(name).requires_grad]
        if len(trained) > 1:
            self.net.get_parameter(self.draw.choice(trained)).requires_grad_(False)

    def unfreeze(self):
        self.net.get_parameter(self.draw.choice(self.held)).requires_grad_(True)

    def add_param_group(self):
        if "late" not in self.held:
            self.opt.add_param_group({"params": [self.net.late]})
            self.names = (*self.names, ["late"])
            self.best.setdefault("late", self.net.late.detach().clone())

    def reorder(self):
        order = self.draw.sample(range(len(self.names)), len(self.names))
        self.opt.param_groups[:] = [self.opt.param_groups[i] for i in order]
        self.names = tuple(self.names[i] for i in order)

    def zero_grad(self):
        self.opt.zero_grad(set_to_none=self.draw.random() < 0.5)

    def disturb(self):
        with torch.no_grad():
            for name in sorted(self.ever_trained):
                weight = self.net.get_parameter(name)
                if weight.requires_grad:
                    weight.add_(0.1 * torch.randn(weight.shape, dtype=F64, generator=self.data))

    def restore_best(self):
        if self.best_value == float("inf"):
            with pytest.raises(ValueError, match="before any step"):
                self.opt.restore_best()
            return
        assert self.opt.restore_best() == self.best_value
        found = self.weights
        for name in self.held:
            assert torch.equal(found[name], self.best[name]), name

    def save_and_load(self):
        file = io.BytesIO()
        torch.save({"net": self.net.state_dict(), "opt": self.opt.state_dict()}, file)
        file.seek(0)
        saved = torch.load(file, weights_only=True)
        net = Net()
        for name, weight in self.net.named_parameters():
            net.get_parameter(name).requires_grad_(weight.requires_grad)
        opt = self.kind([{"params": [net.get_parameter(n) for n in names]} for names in self.names], **self.options)
        net.load_state_dict(saved["net"])
        opt.load_state_dict(saved["opt"])
        self.go_on_alike(net, opt)

    def deepcopy(self):
        self.go_on_alike(*copy.deepcopy((self.net, self.opt)))

    def go_on_alike(self, net, opt):
        """Two steps of both on the same batches, then one more of the twin alone; and the twin takes over."""
        old, state = (self.net, self.opt, self.best_value, dict(self.best)), self.data.get_state()
        expected = [self.step() for _ in range(2)]
        self.net, self.opt, self.best_value, self.best = net, opt, old[2], dict(old[3])
        self.data.set_state(state)
        for info, weights in expected:
            again, found = self.step()
            assert repr(info) == repr(again)
            assert all(torch.equal(weights[name], found[name]) for name in weights)
        left = {name: weight.detach().clone() for name, weight in old[0].named_parameters()}
        self.step()
        assert all(torch.equal(left[name], weight) for name, weight in old[0].named_parameters()), "they share memory"


def run(name, seed, length):
    draw = random.Random(seed)
    world = World(name, draw)
    actions = ["step"] * 4 + ["freeze", "unfreeze", "reorder", "zero_grad", "disturb", "restore_best"]
    actions += ["add_param_group", "save_and_load", "deepcopy"]
    for _ in range(length):
        getattr(world, draw.choice(actions))()
    world.step()
    world.restore_best()


def test_every_training_solver_is_in_the_table():
    every = {getattr(optimizers, name) for name in optimizers.__all__}
    solvers = {kind for kind in every if issubclass(kind, optimizers.CurvatureOptimizer)}
    assert solvers - {optimizers.CurvatureOptimizer} == {kind for kind, *_ in KINDS.values()}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", KINDS)
def test_what_happens_between_steps(name, seed):
    run(name, seed, 20)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 60))
@pytest.mark.parametrize("name", KINDS)
def test_what_happens_between_steps_for_long(name, seed):
    run(name, seed, 60)
