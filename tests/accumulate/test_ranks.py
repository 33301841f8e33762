"""Several ranks that each hold a share of the window have the gradient of the large batch."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist

from gradwright.training import accumulate
from tests.accumulate.ranks import CASES, RANKS, main, run_case


class Threads:
    """Collectives among threads that stand for ranks."""

    def __init__(self) -> None:
        self.barrier = threading.Barrier(RANKS, timeout=60)
        self.held: dict[int, torch.Tensor] = {}

    def all_reduce(self, tensor, group=None):
        self.held[threading.get_ident()] = tensor.detach().clone()
        self.barrier.wait()
        total = sum(self.held.values())
        self.barrier.wait()
        self.held.clear()
        self.barrier.wait()
        with torch.no_grad():
            tensor.copy_(total)


def correct(errors):
    assert errors["gradient"] < 1e-12
    assert errors["loss"] < 1e-12
    assert errors["targets"] == 0
    assert errors["skipped"] == 0


@pytest.mark.parametrize("name", CASES)
def test_every_rank_has_the_gradient_of_the_large_batch(name, monkeypatch):
    threads = Threads()
    fake = SimpleNamespace(
        is_available=lambda: True,
        is_initialized=lambda: True,
        get_world_size=lambda group: RANKS,
        all_reduce=threads.all_reduce,
    )
    monkeypatch.setattr(accumulate, "dist", fake)
    with ThreadPoolExecutor(RANKS) as pool:
        ranks = [pool.submit(run_case, rank, name, threads.all_reduce) for rank in range(RANKS)]
        for rank in ranks:
            correct(rank.result(timeout=60))


@pytest.mark.slow
@pytest.mark.skipif(not dist.is_available() or not dist.is_gloo_available(), reason="torch was built without gloo")
def test_so_do_processes_with_distributed_data_parallel(tmp_path):
    torch.multiprocessing.spawn(main, args=(str(tmp_path),), nprocs=RANKS)
    for rank in range(RANKS):
        for errors in torch.load(tmp_path / f"{rank}.pt").values():
            correct(errors)
