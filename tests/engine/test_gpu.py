"""The Triton engine on a GPU, where there is one."""

from __future__ import annotations

import pytest
import torch

from gradwright import SGD, AdaLo, AdamW, Lamb, Muon
from tests.contract.table import FIRST, ROWS
from tests.engine.pair import Pair, leaves, left_to_eager
from tests.engine.test_agreement import served

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


def on_gpu(make):
    return lambda: [leaf.detach().cuda().requires_grad_() for leaf in make()]


def copied(optimizer):
    return [param.detach().clone() for group in optimizer.param_groups for param in group["params"]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_steps_agree(row, dtype):
    pair = Pair(row.recipe, on_gpu(served(row, dtype)), engine="triton", **row.knobs)
    for _ in range(4):
        pair.synchronise()
        pair.step().close(1e-5 if dtype == torch.float32 else 8e-3)
    assert left_to_eager(pair.fused) <= 2


@pytest.mark.parametrize("row", FIRST, ids=str)
def test_twice_the_same_bits(row):
    runs = []
    for _ in range(2):
        optimizer = row.recipe(on_gpu(leaves((300, 257), (64, 48), (9, 7)))(), engine="triton", **row.knobs)
        for time in range(3):
            for index, param in enumerate(optimizer.param_groups[0]["params"]):
                generator = torch.Generator(device="cuda").manual_seed(10 * time + index)
                param.grad = torch.randn(param.shape, generator=generator, device="cuda")
            optimizer.step(loss=1.0)
        runs.append(copied(optimizer))
    assert all(map(torch.equal, *runs))


@pytest.mark.parametrize("recipe", [AdamW, Lamb, AdaLo, Muon], ids=lambda recipe: recipe.recipe_name)
def test_the_host_never_waits(recipe):
    optimizer = recipe(on_gpu(leaves((300, 257), (64, 48)))(), engine="triton")
    loss = torch.ones((), device="cuda")
    for time in range(4):
        for param in optimizer.param_groups[0]["params"]:
            param.grad = torch.ones_like(param)
        if time == 2:
            torch.cuda.set_sync_debug_mode("error")
        try:
            optimizer.step(loss=loss)
        finally:
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("recipe", [SGD, AdamW, Lamb, AdaLo], ids=lambda recipe: recipe.recipe_name)
def test_cuda_graphs(recipe):
    def training():
        weight = leaves((64, 32))()[0].detach().cuda().requires_grad_()
        optimizer = recipe([weight], lr=0.01, engine="triton")

        def step(x):
            optimizer.zero_grad(set_to_none=True)
            loss = (x @ weight).square().mean()
            loss.backward()
            optimizer.step(loss=loss.detach())

        return weight, optimizer, step

    batches = [torch.randn(16, 64, generator=torch.Generator().manual_seed(time)).cuda() for time in range(8)]
    plain, expected, step = training()
    for time, x in enumerate(batches):
        expected.param_groups[0]["lr"] = 0.1 / (1 + time)
        step(x)
    weight, optimizer, step = training()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for time, x in enumerate(batches[:4]):
            optimizer.param_groups[0]["lr"] = 0.1 / (1 + time)
            step(x)
    torch.cuda.current_stream().wait_stream(stream)
    graph, x = torch.cuda.CUDAGraph(), batches[4].clone()
    optimizer.zero_grad(set_to_none=True)
    with torch.cuda.graph(graph):
        step(x)
    for time, batch in enumerate(batches[4:], start=4):
        x.copy_(batch)
        optimizer.param_groups[0]["lr"] = 0.1 / (1 + time)
        optimizer.before_replay()
        graph.replay()
    torch.testing.assert_close(weight, plain, rtol=1e-5, atol=1e-6)
    assert optimizer.state[weight]["step"] == expected.state[plain]["step"] == 8


def test_tensors_of_two_devices_in_one_group():
    make = leaves((9, 7), (37,), (5,))

    def mixed():
        one, two, three = make()
        return [one, two.detach().cuda().requires_grad_(), three]

    fused, eager = AdamW(mixed()), AdamW(mixed(), engine="eager")
    for _ in range(3):
        for optimizer in (fused, eager):
            for param in optimizer.param_groups[0]["params"]:
                param.grad = torch.full_like(param, 0.3)
            optimizer.step()
    for mine, its in zip(copied(fused), copied(eager)):
        torch.testing.assert_close(mine, its)
    assert left_to_eager(fused) == 0
