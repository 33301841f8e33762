"""Three backends of one program: plain torch is compared with eager, and kernels are compared with plain torch."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest
import torch

from gradwright import Adafactor, AdamW, Lamb, Lion, Muon, Prodigy, cautious, clipped
from gradwright.core import HostScalar, ParamSpec, warn
from gradwright.core.storage import Plain
from gradwright.engine import launch, select
from gradwright.engine.collective import Local
from gradwright.engine.cpp.backend import Cpp
from gradwright.engine.cpp.bound import CppKernel
from gradwright.engine.cpp.storage import access
from gradwright.engine.graph.symbol import Untraceable
from gradwright.engine.graph.trace import trace
from gradwright.engine.operand import ELEMENT, ROW, TENSOR
from gradwright.engine.plan import planned
from gradwright.engine.trial import differs
from tests.engine.pair import Pair, leaves, left_to_eager
from tests.engine.rows import FUSED, SAMPLE, params
from tests.engine.test_agreement import served
from tests.engine.traced import program_of

CPU = torch.device("cpu")
OF_EACH_KIND = pytest.mark.parametrize(
    "recipe", [AdamW, Lamb, Adafactor, cautious(AdamW), Prodigy, clipped(Muon)], ids=lambda recipe: recipe.recipe_name
)


@pytest.mark.parametrize("row", params(FUSED))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_plain_torch_follows_the_phases_to_where_eager_comes(row, dtype):
    pair = Pair(row.recipe, served(row, dtype), engine="torch", **row.knobs)
    for _ in range(3):
        pair.synchronise()
        pair.step().close(1e-5 if dtype == torch.float32 else 8e-3)


def test_plain_torch_serves_what_kernels_do_not():
    def make():
        wide = torch.arange(48.0).reshape(6, 8).sin()
        return [wide[:, ::2].requires_grad_(), wide.t().contiguous().t().requires_grad_(), leaves((6, 4))()[0].t()]

    def strided():
        return [param.detach().requires_grad_() for param in make()]

    for recipe in (AdamW, Lamb):
        pair = Pair(recipe, strided, engine="torch").steps(3)
        pair.close(1e-5)
        assert left_to_eager(pair.fused) == 0


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("row", params(FUSED))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_compiled_kernels_pass_their_trial(row, dtype):
    spec = ParamSpec((24, 512), dtype)
    chain = row.recipe.spec.chain({**row.recipe.spec.defaults, **row.knobs})
    numbers = {key: slot.start for key, slot in chain.slots(spec).items() if isinstance(slot, HostScalar)}
    program = planned(trace(chain, spec, {**chain.knobs(), **numbers, "step": 2.0, "clock": 2.0}), spec)
    assert differs(program, CppKernel(program), CPU) == ""


@pytest.mark.usefixtures("compiler")
@OF_EACH_KIND
def test_a_kernel_that_computes_something_else_fails_its_trial(recipe):
    program = program_of(recipe, (24, 512))
    name, at = next((name, at) for name, at in program.stores.items() if name in program.states)
    other = program.graph.apply("add", at, program.graph.constant(0.5))
    phases = [
        replace(phase, stores={**phase.stores, name: other}) if name in getattr(phase, "stores", {}) else phase
        for phase in program.phases
    ]
    wrong = CppKernel(replace(program, phases=tuple(phases)))
    assert repr(name) in differs(program, wrong, CPU)


class OnTrial(Cpp):
    """The C++ engine, on trial as the Triton engine is."""

    on_trial = True

    def __init__(self, name, fault):
        self.name, self.fault = name, fault

    def compile(self, program):
        kernel = CppKernel(program)
        kernel.__class__ = type("Faulty", (CppKernel,), {"__call__": self.fault})
        return kernel


def _wrong(kernel, counts, buffers, first, last):
    CppKernel.__call__(kernel, counts, buffers, first, last)
    CppKernel.__call__(kernel, counts, buffers, first, last)


def _fails(kernel, *rest):
    raise RuntimeError("no kernel image is available for execution on the device")


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize(
    ("name", "fault", "said"), [("wrong", _wrong, "from what plain torch says"), ("fails", _fails, "no kernel image")]
)
def test_a_device_is_not_trusted_with_kernels_that_fail_their_trial(name, fault, said, monkeypatch):
    monkeypatch.setattr(warn, "_told", set())
    monkeypatch.delenv("GRADWRIGHT_ENGINE", raising=False)
    monkeypatch.setitem(select.BACKENDS, "cpp", OnTrial(name, fault))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pairs = [Pair(AdamW, leaves((6, 4), (5,)), engine="auto").steps(3) for _ in range(2)]
    assert [said in str(one.message) and name in str(one.message) for one in caught] == [True]
    for pair in pairs:
        pair.close(0.0)
        assert left_to_eager(pair.fused) == 2


class Watched(Local):
    """One rank that behaves as one of many: reductions are combined after each sweep, one at a time."""

    alone = False

    def __init__(self):
        self.combined = []

    def combine(self, bound, sweep):
        bound.settle(sweep, [self._whole(*one) for one in bound.reduced(sweep)])

    def _whole(self, op, kind, values):
        self.combined.append((op, kind, len(values)))
        return values.clone()


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("engine", ["cpp", "torch"])
@OF_EACH_KIND
def test_sweeps_one_by_one_with_a_collective_between_them(recipe, engine, monkeypatch):
    """The seam for several ranks: what one rank combines with nobody stays what it is, bit for bit."""
    whole = Pair(recipe, leaves((300, 20), (64, 64)), engine=engine).steps(3)
    watched = Watched()
    sweep = launch.Launch.sweep
    monkeypatch.setattr(launch.Launch, "sweep", lambda self, first, last, _: sweep(self, first, last, watched))
    split = Pair(recipe, leaves((300, 20), (64, 64)), engine=engine).steps(3)
    for one, other in zip(whole.params(whole.fused), split.params(split.fused)):
        assert torch.equal(one, other)
    assert bool(watched.combined) == bool(program_of(recipe).reductions)


@pytest.mark.usefixtures("compiler")
def test_what_ranks_combine_is_what_later_sweeps_read(monkeypatch):
    """Doubled sums of squares make the moments by row and column twice as large."""

    class Twice(Watched):
        def _whole(self, op, kind, values):
            return super()._whole(op, kind, values) * (2.0 if op == "sum" else 1.0)

    found = {}
    sweep = launch.Launch.sweep
    for engine in ("cpp", "torch"):
        twice = Twice()
        with monkeypatch.context() as patch:
            patch.setattr(launch.Launch, "sweep", lambda self, first, last, _, to=twice: sweep(self, first, last, to))
            pair = Pair(Adafactor, leaves((300, 20), (17, 31)), engine=engine, lr=0.1).steps(3)
        found[engine] = [*pair.params(pair.fused), *_moments(pair)]
        assert {kind for _, kind, _ in twice.combined} >= {TENSOR, ROW}
    for mine, its in zip(found["cpp"], found["torch"]):
        torch.testing.assert_close(mine, its, rtol=1e-5, atol=1e-6)
    plain = Pair(Adafactor, leaves((300, 20), (17, 31)), engine="cpp", lr=0.1).steps(3)
    for once, doubled in zip(_moments(plain), found["cpp"][2:]):
        torch.testing.assert_close(doubled, 2 * once, rtol=1e-5, atol=1e-6)


def _moments(pair):
    return [value for state in pair.fused.state.values() for value in state.values() if torch.is_tensor(value)]


def test_plain_storage_is_the_type_it_says():
    values = torch.tensor([1.0, 1 / 3, 1e-30, float("nan")])
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        storage = Plain(dtype)
        (buffer,) = storage.buffers((4,))
        (stored,) = storage.encode(values)
        assert (buffer.suffix, buffer.shape, buffer.dtype) == ("", (4,), dtype)
        assert stored.dtype == dtype
        torch.testing.assert_close(storage.decode(stored).to(values.dtype), values, equal_nan=True, rtol=8e-3, atol=0)


def test_a_storage_without_loads_and_stores_is_left_to_plain_torch():
    class Strange(Plain):
        pass

    with pytest.raises(Untraceable, match="the storage"):
        access(Strange(torch.float32))


def test_operands_say_where_they_come_from_and_how_they_are_held():
    program = program_of(Adafactor, (6, 4))
    held = {one.name: (one.source.name, one.kind, one.storage) for one in program.operands}
    assert held["param"] == ("PARAM", ELEMENT, Plain(torch.float32))
    assert held["grad"] == ("GRAD", ELEMENT, Plain(torch.float32))
    assert [one.source.name for one in program.of(ROW)] == ["STATE"]
    half = planned(_traced(Lion, torch.bfloat16), ParamSpec((6, 4), torch.bfloat16))
    assert {one.storage for one in half.operands} == {Plain(torch.bfloat16)}


def _traced(recipe, dtype):
    chain, spec = recipe.chain(), ParamSpec((6, 4), dtype)
    return trace(chain, spec, {**chain.knobs(), "step": 2.0, "clock": 2.0})


def test_the_sample_has_every_kind_of_phase():
    programs = [program_of(row.recipe, (24, 24), **row.knobs) for row in SAMPLE]
    assert any(program.links for program in programs)
    assert any(program.reductions for program in programs)
