"""The Triton engine in Triton's interpreter, on tensors of the CPU.

Triton decides when it is imported whether it interprets, so these run in a process of their own, which `test_triton.py`
starts. By hand: ``TRITON_INTERPRET=1 pytest tests/engine/interpreted.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch

from gradwright import SGD, Adafactor, AdaLo, AdamW, Lamb, Lion, Muon, NAdam, cautious, lookahead
from gradwright.contract.training import accepts, changes, snapshot
from gradwright.core import Slot, Transform
from gradwright.core.ops import largest, maximum, norm, softplus
from gradwright.engine import capture, select
from gradwright.engine.triton import bound, chunks, launch
from gradwright.optimizer.skipping import Skipping
from tests.contract.table import ROWS
from tests.engine.pair import Pair, apart, distance, leaves, left_to_eager
from tests.engine.parts import AVERAGED, CLIPPED, Does, recipe_of
from tests.engine.rows import FUSED, SAMPLE, fused, params

triton = pytest.importorskip("triton")
tl = triton.language


@triton.jit
def count(bounds):
    for _ in range(tl.load(bounds), tl.load(bounds + 1)):
        pass


def interprets():
    """Whether Triton was imported to interpret, and can: with recent NumPy, 3.6 fails at loops like this one."""
    try:
        return launch.interpreted() and count[(1,)](torch.tensor([0, 2])) is None
    except triton.runtime.errors.InterpreterError:
        return False


pytestmark = [
    pytest.mark.skipif(not interprets(), reason="Triton's interpreter does not run here"),
    # the interpreter computes what is masked out, too
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]

SHAPES = ((), (0,), (1,), (37,), (1025,), (9, 7))
MATRICES = ((9, 7), (70, 272), (5, 33), (9, 7))
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-6, torch.bfloat16: 8e-3, torch.float16: 1e-3}


def shapes_for(row):
    return MATRICES if "matrix" in row.recipe.spec.traits else SHAPES


def pair_of(row, dtype=torch.float32, shapes=None):
    """Leaves of those shapes that the recipe takes, stepped by both engines."""
    offered = shapes or shapes_for(row)
    taken = [shape for shape in offered if accepts(row.recipe, row.knobs, torch.ones(shape).requires_grad_())]
    return Pair(row.recipe, leaves(*taken, dtype=dtype), engine="triton", **row.knobs)


@pytest.mark.parametrize("row", params(fused(ROWS)))
def test_steps_agree(row):
    pair = pair_of(row)
    for time in range(3):
        grads = pair.gradients()
        # one joins late, so that ages differ, and one pauses
        middle = len(grads) // 2
        grads[middle] = grads[middle] if time != 1 else None
        grads[-1] = grads[-1] if time != 0 else None
        pair.step(grads, lr=0.01 / (1 + time))
        pair.close(1e-5)
    assert left_to_eager(pair.fused) <= 1


@pytest.mark.parametrize("part", [CLIPPED, AVERAGED], ids=["clipped", "averaged"])
def test_totals_agree(part):
    with recipe_of(part) as recipe:
        pair = Pair(recipe, leaves((33, 7), (5,), (), (2000,)), engine="triton")
        for time in range(3):
            grads = pair.gradients()
            grads[1] = grads[1] if time else None
            pair.step(grads).close(1e-5)
        assert left_to_eager(pair.fused) == 0


@pytest.mark.parametrize(
    "dtype",
    [torch.bfloat16, *(pytest.param(dtype, marks=pytest.mark.slow) for dtype in (torch.float64, torch.float16))],
    ids=str,
)
@pytest.mark.parametrize("row", params(FUSED))
def test_types_agree(row, dtype):
    pair = pair_of(row, dtype, ((9, 7), (5, 33)) if "matrix" in row.recipe.spec.traits else ((), (37,), (9, 7)))
    for _ in range(2):
        pair.synchronise()
        pair.step().close(TOLERANCE[dtype])


@pytest.mark.parametrize(
    "recipe", [pytest.param(Adafactor, marks=pytest.mark.slow), cautious(Lamb)], ids=lambda recipe: recipe.recipe_name
)
def test_matrices_of_many_tiles_agree(recipe):
    pair = Pair(recipe, leaves((70, 600), (600, 70), (20, 40, 1, 1)), engine="triton", lr=0.1)
    pair.steps(2).close(1e-5)
    assert left_to_eager(pair.fused) == 0


def test_tall_matrices_have_few_parts(monkeypatch):
    monkeypatch.setattr(chunks, "PARTS", 3)
    Pair(Adafactor, leaves((300, 40)), engine="triton", lr=0.1).steps(2).close(1e-5)


def test_tensors_that_are_not_aligned():
    def make():
        return [torch.arange(2100.0)[1:2050].sin().requires_grad_(), torch.ones(3000).requires_grad_()]

    Pair(AdamW, make, engine="triton", lr=0.1).steps(2).close()


@pytest.fixture
def started(monkeypatch):
    """The names of all kernels that are started."""
    names, start = [], launch.start
    monkeypatch.setattr(launch, "start", lambda kernel, *rest: (names.append(kernel.__name__), start(kernel, *rest)))
    return names


def test_one_launch_for_tensors_of_all_ages(started):
    pair = Pair(NAdam, leaves((5,), (9, 7), (), (40,)), engine="triton")
    for time in range(4):
        grads = pair.gradients()
        del started[:]
        pair.step([grad if time >= index else None for index, grad in enumerate(grads)])
    pair.close()
    assert [state["step"] for state in pair.fused.state.values()] == [4, 3, 2, 1]
    assert started == ["sweep0"]


def test_pointers_are_copied_only_when_they_change(monkeypatch):
    copied = []
    staged = bound._staged
    monkeypatch.setattr(
        bound, "_staged", lambda values, device: (copied.append(values.dtype), staged(values, device))[1]
    )
    param = torch.ones(50, requires_grad=True)
    param.grad = torch.ones(50)
    optimizer = AdamW([param], engine="triton")
    optimizer.step()
    del copied[:]
    optimizer.step()
    assert copied == ["float64"]
    param.grad = torch.ones(50)
    del copied[:]
    optimizer.step()
    assert sorted(map(str, copied)) == ["float64", "int64"]


@pytest.mark.parametrize("row", params(FUSED))
@pytest.mark.parametrize("value", [math.nan, math.inf], ids=str)
def test_odd_gradients(row, value):
    pair = pair_of(row, shapes=((9, 7), (5, 33)) if "matrix" in row.recipe.spec.traits else ((37,), (9, 7)))
    grads = pair.step().gradients()
    for grad in grads:
        grad.reshape(-1)[grad.numel() // 2] = value
    pair.step(grads)
    for name, mine, its in pair.tensors():
        assert distance(mine, its) < 1e-5, f"{name}: {apart(mine, its)}"


@pytest.mark.parametrize("row", params(FUSED, fast=SAMPLE[::3]))
def test_steps_that_the_device_skips(row, monkeypatch):
    """Kernels leave every bit where it is, and the host takes its count back."""
    monkeypatch.setattr(Skipping, "_decides_on_host", lambda self, params, grads: False)
    shapes = ((9, 7), (70, 30)) if "matrix" in row.recipe.spec.traits else ((37,), (70, 30), (3, 4), ())
    taken = [shape for shape in shapes if accepts(row.recipe, row.knobs, torch.ones(shape).requires_grad_())]
    pair = Pair(row.recipe, leaves(*taken), engine="triton", **row.knobs)
    pair.fused.skip_nonfinite = True
    for bad in (math.nan, None, math.inf, None):
        grads, before = pair.gradients(), snapshot(pair.fused)
        if bad is None:
            pair.step(grads)
            continue
        for param, grad in zip(pair.params(pair.fused), grads):
            param.grad = grad.clone()
        pair.params(pair.fused)[-1].grad.view(-1)[-1] = bad
        pair.fused.step(loss=1.0)
        pair.fused.catch_up()
        after = snapshot(pair.fused)
        if len(before) == len(after):  # state is made at the first step
            assert not changes(before, after)
    assert pair.fused.skipped == 2
    assert left_to_eager(pair.fused) <= 1
    pair.close(1e-5)


@pytest.mark.parametrize("held", [{"state": "8bit"}, {"weights": "split24"}, {"weights": "stochastic"}], ids=str)
def test_arrays_that_the_device_skips_keep_every_code(held, monkeypatch):
    monkeypatch.setattr(Skipping, "_decides_on_host", lambda self, params, grads: False)
    dtype = torch.bfloat16 if "weights" in held else torch.float32
    params = [(torch.linspace(-2, 3, 60 * 80).view(60, 80).sin().to(dtype)).requires_grad_()]
    optimizer = AdamW(params, engine="triton", skip_nonfinite=True, **held)
    for bad in (False, True, False):
        before, params[0].grad = snapshot(optimizer), params[0].detach().cos()
        if bad:
            params[0].grad[3, 4] = math.nan
        optimizer.step()
        optimizer.catch_up()
        assert bool(changes(before, snapshot(optimizer))) != bad
    assert optimizer.skipped == 1
    assert left_to_eager(optimizer) == 0


@dataclass(frozen=True)
class Numbers(Transform):
    """State of one number and of one for each row, in part from itself, beside reductions of every kind."""

    def slots(self, spec):
        return {"norm": Slot(keep=()), "row": Slot(keep=(0,)), "column": Slot(keep=(1,), dtype=torch.bfloat16)}

    def update(self, u, state, ctx):
        length = 0.5 * state["norm"] + norm(u)
        row = maximum(0.5 * state["row"], largest(u.abs(), (0,)))
        column = state["column"] * 0.5 + norm(ctx.param * u, (1,))
        ratio = largest(row) / (1 + row.mean() + column.sum() + largest(column))
        return u * ratio / (length + row * column), {"norm": length, "row": row, "column": column}


@pytest.mark.parametrize("value", [None, math.nan])
def test_state_smaller_than_the_tensor(value):
    with recipe_of(Numbers()) as recipe:
        pair = Pair(recipe, leaves((9, 7), (70, 300)), engine="triton")
        grads = pair.step().gradients()
        if value is not None:
            grads[0][3, 4] = value
        pair.step(grads).step()
        assert left_to_eager(pair.fused) == 0
        for name, mine, its in pair.tensors():
            assert distance(mine, its) < (1e-2 if "column" in name else 1e-4), f"{name}: {apart(mine, its)}"


@pytest.mark.parametrize("recipe", [AdaLo, lookahead(AdaLo)], ids=lambda recipe: recipe.recipe_name)
def test_the_loss_stays_where_it_is(recipe, monkeypatch):
    pair = Pair(recipe, leaves((9, 7), (5,)), engine="triton")
    loss = torch.tensor(0.7)
    for param in pair.params(pair.fused):
        param.grad = torch.ones_like(param)
    for _ in range(2):  # kernels of a first and of a later step are tried beside plain torch, which waits
        pair.fused.step(loss=loss)
    monkeypatch.setattr(torch.Tensor, "item", lambda self: pytest.fail("the host waits for the device"))
    monkeypatch.setattr(torch.Tensor, "__float__", lambda self: pytest.fail("the host waits for the device"))
    pair.fused.step(loss=loss)


def test_settings_of_groups():
    def make():
        one, two, three = leaves((9, 7), (5,), (40,))()
        return [{"params": [one], "lr": 0.1}, {"params": [two, three], "weight_decay": 0.5, "maximize": True}]

    Pair(AdamW, make, engine="triton").steps(3).close()


class FakeGraph:
    """What a CUDA graph does, on the CPU: kernels that are started while it captures run when it is replayed."""

    def __init__(self, monkeypatch):
        self.monkeypatch, self.kernels = monkeypatch, []

    def __enter__(self):
        self.undo = self.monkeypatch.context()
        patch = self.undo.__enter__()
        patch.setattr(capture.torch.cuda, "is_available", lambda: True)
        patch.setattr(capture.torch.cuda, "is_current_stream_capturing", lambda: True)
        patch.setattr(launch, "start", lambda *kernel: self.kernels.append(kernel))

    def __exit__(self, *problem):
        self.undo.__exit__(*problem)

    def replay(self):
        for kernel in self.kernels:
            launch.start(*kernel)


@pytest.mark.parametrize("recipe", [AdamW, Lion, NAdam, Lamb, Adafactor], ids=lambda recipe: recipe.recipe_name)
def test_replays_take_the_steps_that_python_would(recipe, monkeypatch):
    pair = Pair(recipe, leaves((9, 7), (37,)), engine="triton", lr=0.01).steps(3)
    grads = [param.grad for param in pair.params(pair.fused)]
    graph = FakeGraph(monkeypatch)
    with graph:
        pair.fused.step()
    assert [state["step"] for state in pair.fused.state.values()] == [3, 3]
    for time in range(3):
        for optimizer in (pair.fused, pair.eager):
            optimizer.param_groups[0]["lr"] = 0.1 / (1 + time)
        for grad in grads:
            grad.mul_(-1.5)
        pair.fused.before_replay()
        graph.replay()
        for param, grad in zip(pair.params(pair.eager), grads):
            param.grad = grad
        pair.eager.step()
        pair.close(1e-5)
    assert pair.fused.param_groups[0]["clock"] == pair.eager.param_groups[0]["clock"] == 6
    pair.step().close(1e-5)


def test_a_graph_that_no_longer_fits_is_refused(monkeypatch):
    optimizer = lookahead(SGD)(leaves((5,))(), k=3, engine="triton")
    (param,) = optimizer.param_groups[0]["params"]
    param.grad = torch.ones(5)
    for _ in range(3):
        optimizer.step()
    with FakeGraph(monkeypatch):
        optimizer.step()
    optimizer.before_replay()
    optimizer.before_replay()
    with pytest.raises(RuntimeError, match="another branch"):
        optimizer.before_replay()
    assert optimizer.state[param]["step"] == 5


def test_a_step_must_be_taken_before_one_is_captured(monkeypatch):
    optimizer = AdamW(leaves((5,))(), engine="triton")
    optimizer.param_groups[0]["params"][0].grad = torch.ones(5)
    with FakeGraph(monkeypatch), pytest.raises(RuntimeError, match="before capturing"):
        optimizer.step()
    optimizer.step()
    param = torch.ones(3, dtype=torch.complex64, requires_grad=True)
    param.grad = torch.ones_like(param)
    with FakeGraph(monkeypatch), pytest.raises(RuntimeError, match="plain torch"):
        AdamW([param], engine="triton").step()


def test_links_are_run_in_batches_that_fit(monkeypatch, started):
    monkeypatch.setattr(select.BACKENDS["triton"], "in_flight", 100)
    tried = Pair(Muon, leaves((9, 7)), engine="triton")
    for _ in range(2):  # kernels of a first and of a later step are tried beside plain torch
        tried.step()
    del started[:]
    pair = Pair(Muon, leaves((9, 7), (9, 7), (9, 7)), engine="triton")
    pair.step([*pair.gradients()[:2], None])
    # one kernel before the link and one behind it, for each tensor by itself
    assert len(started) == 4
    pair.step().close(1e-5)
    assert len(started) == 10


@pytest.mark.parametrize("function", [torch.exp, torch.log1p, torch.sigmoid, softplus], ids=lambda one: one.__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_functions_agree(function, dtype):
    with recipe_of(Does(lambda u, state, ctx: (function(u), state))) as recipe:
        pair = Pair(recipe, leaves((37,), (9, 7), dtype=dtype), engine="triton").steps(2)
        pair.close(1e-6 if dtype == torch.float32 else 1e-13)
        assert left_to_eager(pair.fused) == 0


def test_the_angle_of_single_precision_agrees():
    with recipe_of(Does(lambda u, state, ctx: (torch.atan2(u, ctx.param), state))) as recipe:
        pair = Pair(recipe, leaves((37,), (9, 7)), engine="triton").steps(2)
        pair.close(1e-6)
        assert left_to_eager(pair.fused) == 0
