"""A model that is spread over ranks gives the probes of the model on its own."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
import torch.distributed as dist

pytestmark = pytest.mark.skipif(
    not dist.is_available() or not dist.is_gloo_available(), reason="torch was built without gloo"
)

if dist.is_available():
    from gradwright.observe import Watch, Window
    from tests.distributed.ranks import backward, batch, net, run, spread_out

OF_THE_SHARDS = {"tail", "hill"}
"""What is taken of the largest entries of each rank."""


def last_window(model: torch.nn.Module) -> Window:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    with Watch(model, optimizer) as watch:
        for step in range(6):
            optimizer.zero_grad()
            loss = backward(model, batch(step))
            optimizer.step()
            watch.step(loss)
        assert watch.findings() == []
        return watch.record().windows[-1]


def farthest(mesh, how: str) -> float:
    """The largest distance of a probe of the spread model from that of the one on its own, by their size."""
    alone, spread = last_window(net()), last_window(spread_out(net(), how, mesh))
    far = abs(spread.norm / alone.norm - 1)
    for name, probe in alone.parameters.items():
        for field in dataclasses.fields(probe):
            mine, its = getattr(probe, field.name), getattr(spread.parameters[name], field.name)
            if field.name in OF_THE_SHARDS or (math.isnan(mine) and math.isnan(its)):
                continue
            distance = abs(mine - its) / max(abs(mine), 1e-3)
            far = max(far, math.inf if math.isnan(distance) else distance)
    return far


def sharded(mesh):
    return farthest(mesh, "sharded")


def mixed(mesh):
    return farthest(mesh, "mixed")


@pytest.mark.slow
def test_probes_of_a_spread_model(tmp_path):
    for ends in run(tmp_path, {"sharded": sharded, "mixed": mixed}).values():
        for end in ends:
            assert not isinstance(end, str), end
            assert end < 1e-4
