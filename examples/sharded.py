"""One step over many devices: a small network, sharded, trained by Muon and AdamW, saved and loaded.

Run it on two processes of one machine:

    torchrun --nproc-per-node 2 examples/sharded.py

The first rank says what the optimizer runs and how the loss falls. Without torchrun there is one rank.
"""

from __future__ import annotations

import os
import tempfile

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict
from torch.distributed.fsdp import fully_shard

import gradwright


def main() -> None:
    alone = {} if "RANK" in os.environ else {"store": dist.HashStore(), "rank": 0, "world_size": 1}
    dist.init_process_group("gloo", **alone)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(64, 32), nn.Linear(32, 128), nn.GELU(), nn.Linear(128, 32), nn.Linear(32, 64))
    fully_shard(model)
    optimizer = gradwright.build("Muon", model)
    told = print if dist.get_rank() == 0 else lambda *_: None
    told(optimizer.explain())
    generator = torch.Generator().manual_seed(dist.get_rank())
    for step in range(20):
        tokens = torch.randint(64, (16,), generator=generator)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(tokens), tokens)
        loss.backward()
        optimizer.step()
        if step % 5 == 4:
            told(f"step {step + 1}: loss {loss.item():.3f}")
    with tempfile.TemporaryDirectory() as folder:
        shared = [folder]
        dist.broadcast_object_list(shared)
        held = {"optimizer": get_optimizer_state_dict(model, optimizer)}
        dcp.save(held, checkpoint_id=shared[0])
        dcp.load(held, checkpoint_id=shared[0])
        set_optimizer_state_dict(model, optimizer, held["optimizer"])
        dist.barrier()
    told("saved and loaded")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
