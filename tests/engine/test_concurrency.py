"""Several optimizers, threads and processes at once."""

import os
import subprocess
import sys
import textwrap
import threading

import pytest
import torch

from gradwright import AdamW, Lamb, Lion, Muon
from gradwright.native.threads import SMALL, threads_for
from tests.engine.pair import Pair, leaves

pytestmark = pytest.mark.usefixtures("compiler")

SHAPES = ((300, 200), (33,), (64, 64))


def trained(recipe, steps=6):
    optimizer = recipe([param for param in leaves(*SHAPES)() if recipe is not Muon or param.dim() > 1], engine="cpp")
    for time in range(steps):
        for index, param in enumerate(optimizer.param_groups[0]["params"]):
            stream = torch.Generator().manual_seed(100 * time + index)
            param.grad = torch.randn(param.shape, generator=stream)
        optimizer.step()
    return [param.detach() for param in optimizer.param_groups[0]["params"]]


@pytest.mark.usefixtures("two_threads")
def test_two_threads_with_an_optimizer_each():
    recipes = (AdamW, Lion, Lamb, Muon)
    alone = [trained(recipe) for recipe in recipes]
    found: list = [None] * len(recipes)

    def run(at):
        found[at] = trained(recipes[at])

    threads = [threading.Thread(target=run, args=(at,)) for at in range(len(recipes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for one, other in zip(alone, found):
        assert all(map(torch.equal, one, other))


def test_two_optimizers_of_the_same_parameters():
    pairs = {}
    for engine in ("cpp", "eager"):
        params = leaves(*SHAPES)()
        one, two = AdamW(params, engine=engine), Lion(params, lr=0.01, engine=engine)
        for time in range(4):
            for optimizer in (one, two):
                for index, param in enumerate(params):
                    param.grad = torch.randn(param.shape, generator=torch.Generator().manual_seed(10 * time + index))
                optimizer.step()
        pairs[engine] = params
    for mine, its in zip(pairs["cpp"], pairs["eager"]):
        torch.testing.assert_close(mine, its, rtol=1e-5, atol=1e-6)


FORK = textwrap.dedent(
    """
    import os, signal, torch, gradwright
    torch.set_num_threads(2)
    params = [torch.ones(400, 400, requires_grad=True), torch.ones(300, 300, requires_grad=True)]
    lamb = gradwright.Lamb(params, engine="cpp")

    for param in params:
        param.grad = torch.full_like(param, 0.5)

    def step():
        lamb.step()
        return params[0][0, 0].item()

    first = step()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if step() < first else 3)
    _, status = os.waitpid(child, 0)
    step()
    raise SystemExit(os.waitstatus_to_exitcode(status))
    """
)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_fork_after_a_step():
    """In a process of its own, because a child that hangs would take the test run with it."""
    done = subprocess.run([sys.executable, "-c", FORK], timeout=100, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.usefixtures("two_threads")
def test_few_numbers_and_a_forked_process_have_one_thread():
    assert [threads_for(numel) for numel in (0, SMALL - 1, SMALL, 100 * SMALL)] == [1, 1, 2, 2]
    child = os.fork()
    if child == 0:
        os._exit(threads_for(100 * SMALL))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert threads_for(SMALL) == 2


@pytest.mark.usefixtures("two_threads")
def test_the_number_of_threads_may_change_between_steps():
    pair = Pair(Lamb, leaves((300, 200), (64, 64)))
    for threads in (2, 1, 2, 4, 1, 3):
        torch.set_num_threads(threads)
        pair.step()
    pair.close(1e-5)
