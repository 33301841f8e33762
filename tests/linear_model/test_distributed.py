"""Rows over two processes: every rank gets the answer of one process."""

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


def work(rank, port, answers):
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    X, y = rows()
    own = slice(0, 60) if rank == 0 else slice(60, None)
    found = [m.set_params(distributed=True).fit(X[own], y[own]).coef_ for m in models()]
    answers.put((rank, [f.tolist() for f in found]))
    distributed.barrier()
    distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.skipif(not distributed.is_available(), reason="torch without distributed")
def test_two_ranks_equal_one_process():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    processes = [context.Process(target=work, args=(rank, port, answers)) for rank in range(2)]
    for process in processes:
        process.start()
    found = dict(answers.get(timeout=120) for _ in processes)
    for process in processes:
        process.join(60)
    X, y = rows()
    for one, first, second in zip(models(), found[0], found[1]):
        expected = one.fit(X, y).coef_
        assert first == second
        np.testing.assert_allclose(first, expected, rtol=1e-4, atol=1e-6)
