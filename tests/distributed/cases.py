"""What is asked of ranks beside the numbers of a step: losses, evaluation weights, checkpoints, refusals, meshes."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Shard, distribute_tensor

import gradwright as gw
from gradwright.core import Transform, chain
from gradwright.transforms import Scale
from tests.distributed.ranks import SPREADS, backward, batch, distance, net, served, spread_as, spread_out, train, whole


def own_losses(mesh: DeviceMesh) -> float:
    """Each rank has a half of every batch and passes the loss of that half."""
    alone, other = net(), spread_out(net(), "sharded", mesh)
    size = 8 // mesh.size()
    train(alone, gw.AdaLo(alone.parameters(), engine="eager"))
    share = slice(size * mesh.get_rank(), size * (mesh.get_rank() + 1))
    train(other, gw.AdaLo(other.parameters()), share=share)
    return distance(alone, other)


def evaluation_weights(mesh: DeviceMesh) -> tuple[float, float]:
    """How far the weights are apart within ``evaluating`` and after it."""
    alone, other = net(), spread_out(net(), "mixed", mesh)
    one, its = gw.ScheduleFreeAdamW(alone.parameters(), engine="eager"), gw.ScheduleFreeAdamW(other.parameters())
    train(alone, one)
    train(other, its)
    with one.evaluating(), its.evaluating():
        within = distance(alone, other)
    return within, distance(alone, other)


def resumed(mesh: DeviceMesh) -> float:
    """How far a run is off that was saved, loaded by another optimizer, and went on, from one that went on."""
    worst = 0.0
    for recipe in (gw.Adafactor, gw.NorMuon, gw.Prodigy):
        model = spread_out(net(), "sharded", mesh)
        first = recipe(served(recipe, model))
        train(model, first)
        weights = [param.detach().clone() for param in model.parameters()]
        saved = copy.deepcopy(first.state_dict())
        train(model, first, range(5, 8))
        expected = [whole(param) for param in model.parameters()]
        with torch.no_grad():
            for param, value in zip(model.parameters(), weights):
                param.copy_(value)
        second = recipe(served(recipe, model))
        second.load_state_dict(saved)
        train(model, second, range(5, 8))
        pairs = zip(model.parameters(), expected)
        worst = max(worst, *((whole(param) - value).abs().max().item() for param, value in pairs))
    return worst


def half_precision(mesh: DeviceMesh) -> float:
    """How far bfloat16 weights are apart, in which one that rounds the other way would show."""
    alone, other = net(torch.bfloat16), spread_out(net(torch.bfloat16), "sharded", mesh)
    for recipe in (gw.AdamW, gw.Muon):
        train(alone, recipe(served(recipe, alone), engine="eager"))
        train(other, recipe(served(recipe, other)))
    return distance(alone, other)


def complex_numbers(mesh: DeviceMesh) -> float:
    """How far a complex tensor is off."""
    values = torch.randn(5, 3, dtype=torch.complex64, generator=torch.Generator().manual_seed(3))
    alone = nn.Parameter(values.clone())
    other = nn.Parameter(distribute_tensor(values, mesh, [Shard(0)]))
    one, its = gw.AdamW([alone], lr=0.1, engine="eager"), gw.AdamW([other], lr=0.1)
    for _ in range(3):
        alone.grad = 2 * alone.detach()
        other.grad = spread_as(alone.grad, other)
        one.step()
        its.step()
    return (alone.detach() - whole(other)).abs().max().item()


@dataclass(frozen=True)
class Sorted(Transform):
    """The rank of each entry among all: no graph has a word for it, and no shard can tell."""

    def update(self, u, state, ctx):
        return u.flatten().argsort().argsort().view(u.shape).to(u.dtype) / u.numel(), {}


def part_of_a_user(mesh: DeviceMesh) -> float:
    """How far a part is off that torch cannot share out."""
    made = gw.recipe()(_sorted)
    alone, other = net(), spread_out(net(), "sharded", mesh)
    train(alone, made(alone.parameters(), engine="eager"))
    train(other, made(other.parameters()))
    return distance(alone, other)


def _sorted(lr: float = 0.01):
    return chain(Sorted(), Scale(lr))


def explained(mesh: DeviceMesh) -> list[str]:
    """What optimizers say of a matrix that is spread: of entries, of norms, and of what needs the whole."""
    model = spread_out(net(), "columns", mesh)
    return [recipe([("middle", model.middle.weight)]).explain() for recipe in (gw.AdamW, gw.Lamb, gw.SOAP)]


def plain_gradient(mesh: DeviceMesh) -> tuple[str, bool]:
    """What is said to a gradient of another kind than its parameter's, and whether nothing moved."""
    model = spread_out(net(), "columns", mesh)
    optimizer = gw.AdamW(model.named_parameters())
    before = [whole(param).clone() for param in model.parameters()]
    for param in model.parameters():
        param.grad = torch.ones(param.shape)
    try:
        optimizer.step()
    except RuntimeError as refusal:
        return str(refusal), all(torch.equal(a, whole(b)) for a, b in zip(before, model.parameters()))
    return "", False


def partial_gradient(mesh: DeviceMesh) -> float:
    """How far a step is off whose gradient is a sum that ranks have not met for yet."""
    from torch.distributed.tensor import Partial

    values, grad = torch.linspace(-1, 1, 15).view(5, 3), torch.linspace(2, -3, 15).view(5, 3)
    alone, other = nn.Parameter(values.clone()), nn.Parameter(distribute_tensor(values, mesh, [Shard(0)]))
    one, its = gw.Lamb([alone], engine="eager"), gw.Lamb([other])
    share = grad * (0.25 if mesh.get_rank() == 0 else 0.75)
    for _ in range(3):
        alone.grad, other.grad = grad, DTensor.from_local(share, mesh, [Partial()])
        one.step()
        its.step()
    return (alone.detach() - whole(other)).abs().max().item()


def blocks_of_rows(mesh: DeviceMesh) -> float:
    """How far fused matrices are off whose blocks lie across ranks, beside a tensor with which they share a scale."""
    starts = [torch.randn(shape, generator=torch.Generator().manual_seed(4)) for shape in ((6, 4), (3, 1), (5, 4))]
    alone = [nn.Parameter(start.clone()) for start in starts]
    other = [nn.Parameter(distribute_tensor(start, mesh, [Shard(0)])) for start in starts]
    one, its = (
        gw.Surefoot([{"params": params[:2], "split": 3}, {"params": params[2:]}], **engine)
        for params, engine in ((alone, {"engine": "eager"}), (other, {}))
    )
    for _ in range(4):
        for mine, theirs in zip(alone, other):
            mine.grad = mine.detach().sin()
            theirs.grad = spread_as(mine.grad, theirs)
        one.step()
        its.step()
    return max((mine.detach() - whole(theirs)).abs().max().item() for mine, theirs in zip(alone, other))


def skipped_by_all(mesh: DeviceMesh) -> tuple[float, bool]:
    """How far a model is off that left out two steps in which one rank alone had a bad gradient; both counted them."""
    worst, counted = 0.0, True
    for how, on_host, recipe in ((a, b, c) for a in SPREADS for b in (True, False) for c in (gw.AdamW, gw.Adafactor)):
        alone, other = net(), spread_out(net(), how, mesh)
        one, its = recipe(alone.parameters(), engine="eager"), recipe(other.parameters(), skip_nonfinite=True)
        if not on_host:
            its._decides_on_host = lambda params, grads: False
        for step in range(4):
            train(alone, one, range(step, step + 1))
            for bad in (False,) if step % 2 else (True, False):
                its.zero_grad()
                loss = backward(other, batch(step))
                shard = other.middle.weight.grad.to_local()
                if bad and mesh.get_rank() == step // 2:
                    shard.view(-1)[0] = torch.nan
                its.step(loss=loss)
        counted = counted and its.skipped == 2
        worst = max(worst, distance(alone, other))
    return worst, counted


def looks_twice(mesh: DeviceMesh) -> float:
    """How far models are off that look twice, spread over ranks and as replicas whose gradients are averaged."""
    worst = 0.0
    methods = (gw.sharpness.sam, gw.sharpness.asam, gw.sharpness.looksam, gw.sharpness.friendly_sam)
    for how, method in ((how, method) for how in ("sharded", "mixed") for method in methods):
        alone, other = net(), spread_out(net(), how, mesh)
        for model in (alone, other):
            optimizer = method(gw.AdamW)(model.named_parameters(), rho=0.5)
            for step in range(3):
                optimizer.step(lambda m=model, o=optimizer, s=step: (o.zero_grad(), backward(m, batch(s)))[1])
        worst = max(worst, distance(alone, other))
    return worst


def looks_twice_by_itself(mesh: DeviceMesh) -> float:
    """How far replicas are apart that look where their own share of the batch leads, and step by the mean gradient."""
    replica = nn.parallel.DistributedDataParallel(net())
    optimizer = gw.sharpness.sam(gw.SGD)(replica.parameters(), lr=0.1, rho=0.5)
    size = 8 // mesh.size()
    share = slice(size * mesh.get_rank(), size * (mesh.get_rank() + 1))
    places = []

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        places.append(torch.cat([param.detach().flatten() for param in replica.parameters()]))
        loss = replica(batch(0)[share]).square().mean()
        loss.backward()
        return loss

    for _ in range(2):
        optimizer.step(closure, first_pass=replica.no_sync)
    end = torch.cat([param.detach().flatten() for param in replica.parameters()])
    every = [torch.empty_like(end) for _ in range(mesh.size())]
    looked = [torch.empty_like(end) for _ in range(mesh.size())]
    dist.all_gather(every, end)
    dist.all_gather(looked, places[1])
    assert not torch.equal(looked[0], looked[1])
    return max((one - end).abs().max().item() for one in every)


def two_dimensions(mesh: DeviceMesh) -> float:
    """How far a model is off whose rows are tensor-parallel, and sharded by FSDP2 once more, on four ranks."""
    grid = init_device_mesh("cpu", (2, dist.get_world_size() // 2), mesh_dim_names=("data", "model"))
    worst = 0.0
    for recipe in (gw.AdamW, gw.Lamb, gw.Adafactor, gw.Muon, gw.Prodigy, gw.AdaLo):
        alone, other = net(), net()
        for module in (other.middle, other.head):
            module.weight = nn.Parameter(distribute_tensor(module.weight.detach(), grid["model"], [Shard(0)]))
        fully_shard(other.middle, mesh=grid["data"])
        fully_shard(other, mesh=grid["data"])
        one, its = recipe(served(recipe, alone), engine="eager"), recipe(served(recipe, other))
        for step in range(3):
            gradients = [torch.full(p.shape, 0.1 * step + 0.1) * p.detach() for p in alone.parameters()]
            for mine, theirs, value in zip(alone.parameters(), other.parameters(), gradients):
                mine.grad = value
                theirs.grad = spread_as(value, theirs)
            loss = torch.tensor(1.0 + step)
            one.step(loss=loss)
            its.step(loss=loss)
        worst = max(worst, distance(alone, other))
    return worst
