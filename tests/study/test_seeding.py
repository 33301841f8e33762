import os
import random
import subprocess
import sys

import numpy as np
import torch

from gradwright.study.tasks.seeding import RandomStream, derive
from gradwright.study.tasks.task import Batches

PROGRAM = """
import torch
torch.set_num_threads(1)
from gradwright.study import tasks
session = tasks.find("digits-mlp").begin(3)
print(sum(p.double().sum().item() for p in session.model.parameters()).hex(), session.loss(5).item().hex())
"""


def test_a_session_does_not_depend_on_the_process():
    said = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "77")
    ]
    assert said[0] == said[1]
    assert said[0].strip()


def test_seeds_are_what_they_were():
    assert derive("digits-mlp", 0, "weights") == 2823932633598380761
    assert derive("ab", "c") != derive("a", "bc")


def test_a_stream_continues_and_leaves_the_global_generators_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    stream = RandomStream("a")
    with stream:
        first = torch.rand(1), np.random.rand(), random.random()
    torch.testing.assert_close(torch.get_rng_state(), before)
    with stream:
        second = torch.rand(1), np.random.rand(), random.random()
    with RandomStream("a"):
        again = torch.rand(1), np.random.rand(), random.random()
    assert first == again
    assert first != second


def test_batches_are_permutations_and_a_function_of_the_step():
    batches = Batches(10, 3, "x", 0)
    epoch = torch.cat([batches(step) for step in range(3)])
    assert len(epoch.unique()) == 9
    later = batches(4)
    assert torch.equal(Batches(10, 3, "x", 0)(4), later)
    assert not torch.equal(Batches(10, 3, "x", 1)(4), later)
