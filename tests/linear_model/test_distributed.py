"""Rows over several processes: every rank gets the answer of one process."""

import socket

import numpy as np
import pytest
import torch
from torch import distributed, multiprocessing

from gradwright import linear_model as lm

from .problems import draw


def models():
    return (
        lm.LogisticRegression(tol=1e-11),
        lm.LogisticRegression(tol=1e-10, l1_ratio=0.0, class_weight="balanced"),
        lm.Ridge(tol=1e-11),
        lm.LinearSVC(tol=1e-8),
    )


def rows():
    case = draw("squared", 4, 151, 6)
    return case.X, np.digitize(case.y, [-1.0, 1.0])


def work(rank, ends, port, answers):
    torch.set_num_threads(1)
    address = f"tcp://127.0.0.1:{port}"
    distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=len(ends) - 1)
    X, y = rows()
    own = slice(ends[rank], ends[rank + 1])
    found = [m.set_params(distributed=True).fit(X[own], y[own]).coef_ for m in models()]
    answers.put((rank, [f.tolist() for f in found]))
    distributed.barrier()
    distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.skipif(not distributed.is_available(), reason="torch without distributed")
@pytest.mark.parametrize(
    "ends", [(0, 60, 151), (0, 80, 81, 93, 151)], ids=["two", "four, of which one has a single row"]
)
def test_ranks_equal_one_process(ends):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    processes = [context.Process(target=work, args=(rank, ends, port, answers)) for rank in range(len(ends) - 1)]
    for process in processes:
        process.start()
    found = dict(answers.get(timeout=120) for _ in processes)
    for process in processes:
        process.join(60)
    X, y = rows()
    for one, first, *others in zip(models(), *(found[rank] for rank in sorted(found))):
        expected = one.fit(X, y).coef_
        assert all(other == first for other in others)
        np.testing.assert_allclose(first, expected, rtol=1e-4, atol=1e-6)
