"""Rows: step the rows of a table that its gradient touches, each with an age of its own; the others rest.

A table lies here as the parameters that its rows would be, each of one row, if they were given apart: a row without a
gradient keeps weights and state, and bias corrections count the steps that a row has taken. What a step reads and
writes is as much as the touched rows hold, whatever the table holds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from gradwright.core import Chain, Context, HostScalar, ParamSpec, Slot
from gradwright.core.counter import keys_of_rows
from gradwright.core.spec import WEIGHTS
from gradwright.core.storage import Storage
from gradwright.core.transform import Slots, walk
from gradwright.engine.access import as_real
from gradwright.engine.eager import check_shape
from gradwright.engine.row_scalar import Parted, RowScalar, plain
from gradwright.engine.step import Memory, StepCoroutine, TensorStep, note

AGES = "row_step"
"""The state entry that holds how many steps each row has taken; where it is, a parameter is stepped by rows."""


def row_slots(slots: Slots, spec: ParamSpec) -> Slots:
    """What is kept beside a table that is stepped by rows: ages, and a host scalar for each row.

    Raises:
        ValueError: a slot is not one of rows, or held in groups of which a row is a part; names it.
    """
    count = (spec.shape[0],)
    for key, slot in slots.items():
        if isinstance(slot, Slot) and (slot.shared or slot.shape_for(spec)[:1] != count):
            raise ValueError(f"the state {key!r} is one for all rows of {spec}, which cannot rest apart")
        if isinstance(slot, Slot) and any(one.shape[:1] != count for one in slot.arrays_for(key, spec).values()):
            raise ValueError(
                f"the rows of {spec} are single numbers, of which state={spec.policy.state!r} holds several with one "
                "scale, so that none can rest; give it a group of its own with state='float32'"
            )
    kept = {
        key: Slot(shape=count, start=slot.start, dtype=torch.float64) if isinstance(slot, HostScalar) else slot
        for key, slot in slots.items()
    }
    return {AGES: Slot(shape=count, dtype=torch.int32), **kept}


def slots_beside(state: Mapping[str, Any], slots: Slots, spec: ParamSpec) -> Slots:
    """What is kept for a parameter as its state has it, whole or by rows, of what its chain declares."""
    return row_slots(slots, spec) if AGES in state else slots


def begin_tables(memory: Memory, chain: Chain, spec_of: Callable[[Tensor], ParamSpec]) -> bool:
    """Give ages to the rows of tables whose gradient is sparse for the first time; whether there are such."""
    found = [at for at in sorted(memory.unfit) if memory.gradient(at).is_sparse and AGES not in memory.states[at]]
    specs = {at: spec_of(memory.params[at]) for at in found}
    kept = {at: row_slots(chain.slots(spec), spec) for at, spec in specs.items()}  # all, before any begins
    for at, spec in specs.items():
        _begin(memory.states[at], chain.slots(spec), kept[at], spec, memory.params[at].device)
    return bool(found)


def _begin(state: dict[str, Any], slots: Slots, kept: Slots, spec: ParamSpec, device: torch.device) -> None:
    """Let a table be stepped by rows from now on; all rows have taken the steps that it has taken."""
    for key, slot in kept.items():
        if isinstance(slot, Slot) and (key == AGES or isinstance(slots[key], HostScalar)):
            value = state["step" if key == AGES else key]
            state[key] = torch.full(slot.shape_for(spec), value, dtype=slot.dtype_for(spec), device=device)


def run(step: TensorStep) -> StepCoroutine:
    """Step the rows that have a gradient: all where it is dense. A gradient without rows is none."""
    at, grad = _touched(step.grad, step.spec)
    if len(at):
        slots = step.chain.slots(step.spec)
        kept = row_slots(slots, step.spec)
        for rows, moved, after in _updates(step, slots, at, -grad if step.maximize else grad):
            _write(step, WEIGHTS, step.spec.weights, rows, moved)
            for key, value in after.items():
                _write(step, key, _storage(kept[key], step.spec), rows, value)
        note(step.state, "step", step.step)
    yield from ()
    return {}


def evaluate(chain: Chain, p: Tensor, state: Mapping[str, Any]) -> Tensor | None:
    """The weights to evaluate with of a table that is stepped by rows; a row that has not moved keeps its own."""
    ages = _column(state[AGES], p.ndim).to(p.dtype)
    held = {k: _column(v, p.ndim).to(p.dtype) if _is_column(v) else v for k, v in state.items()}
    weights: Any = chain.evaluate(p, held, ages)  # type: ignore[arg-type]
    return None if weights is None else torch.where(ages > 0, weights, p)


def _touched(grad: Tensor, spec: ParamSpec) -> tuple[Tensor, Tensor]:
    """The rows that a gradient has, each once, and what it is there, in the computing type."""
    dtype = spec.computing_dtype
    if grad.layout == torch.strided:
        return torch.arange(grad.shape[0], device=grad.device), as_real(grad).to(dtype)
    if not grad.is_complex():
        grad = grad.to(dtype)  # first, since sums of half numbers would be rounded
    grad = grad.coalesce()
    return grad.indices()[0], as_real(grad.values()).to(dtype)


def _updates(step: TensorStep, slots: Slots, at: Tensor, grad: Tensor) -> list[tuple[Tensor, Tensor, dict[str, Any]]]:
    """What becomes of rows and of their state, in parts that Python decides alike for; nothing is written."""
    spec = dataclasses.replace(step.spec, shape=(len(at), *step.spec.shape[1:]))
    p = _read(step, WEIGHTS, spec.weights, at).to(spec.computing_dtype)
    ages = _scalar(step.state[AGES], at, p.ndim) + 1
    state = {key: _load(step, key, slot, at, p, ages) for key, slot in slots.items()}
    ctx: Any = Context(p, grad, ages, step.clock, step.loss, spec)  # type: ignore[arg-type]
    try:
        u, after, _ = _answer(walk(step.chain, grad, state, ctx), step)
    except Parted as parted:
        yes, no = parted.yes.nonzero()[:, 0], (~parted.yes).nonzero()[:, 0]
        return [part for some in (yes, no) for part in _updates(step, slots, at[some], grad[some])]
    check_shape(u, spec.shape, "the update", step)
    first = plain(ages) == 1
    changed = {AGES: plain(ages), **{key: after[key] for key in slots if after[key] is not state[key]}}
    for key, slot in slots.items():
        if isinstance(slot, Slot) and slot.fixed and key in changed:
            changed[key] = torch.where(first, changed[key], state[key])
        elif key not in changed and getattr(slot, "start", 0.0) == "param":
            changed[key] = state[key]  # filled now, if it is the first time
    return [(at, p - u, changed)]


def _answer(update: Any, step: TensorStep) -> Any:
    """What an update answers that asks for no totals."""
    try:
        total = next(update)
    except StopIteration as end:
        return end.value
    raise RuntimeError(f"{step.spec}: the total {total.name!r} runs over all parameters, which rows cannot wait for")


def _load(step: TensorStep, key: str, slot: Slot | HostScalar, at: Tensor, p: Tensor, ages: Any) -> Any:
    if isinstance(slot, HostScalar):
        return _scalar(step.state[key], at, p.ndim)
    rows = _read(step, key, _storage(slot, step.spec), at)
    if rows.dtype in (torch.float16, torch.bfloat16):
        rows = rows.to(p.dtype)
    return torch.where(plain(ages) == 1, p.to(rows.dtype), rows) if slot.start == "param" else rows


def _storage(slot: Slot | HostScalar, spec: ParamSpec) -> Storage:
    assert isinstance(slot, Slot)
    return slot.storage_for(spec)


def _array(step: TensorStep, name: str) -> Tensor:
    """One of the arrays of a table or of its state."""
    return as_real(step.param if name == WEIGHTS else step.state[name])


def _read(step: TensorStep, name: str, storage: Storage, at: Tensor) -> Tensor:
    """The values of these rows; each has groups of its own, so that codes are read and written row by row."""
    return storage.decode(*(_array(step, name + suffix)[at] for suffix in storage.suffixes))


def _scalar(values: Tensor, at: Tensor, ndim: int) -> RowScalar:
    """One number for each of these rows, as a column beside them."""
    dtype = torch.float32 if values.device.type == "mps" else torch.float64  # that device has no float64
    return _column(values[at].to(dtype), ndim).as_subclass(RowScalar)


def _column(values: Tensor, ndim: int) -> Tensor:
    return values.view(-1, *(1,) * (ndim - 1))


def _is_column(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim == 1


def _write(step: TensorStep, name: str, storage: Storage, at: Tensor, value: Any) -> None:
    """Put rows in their places; a number of Python's into all of them.

    Random bits are those of their places in the table, so that no two rows share them and a row draws the same
    whichever others have a gradient.
    """
    table = _array(step, name)
    shape = (len(at), *table.shape[1:])
    if not isinstance(value, Tensor):
        value = torch.full(shape, float(value), dtype=step.spec.computing_dtype, device=table.device)
    values = plain(value).reshape(shape)
    keys = keys_of_rows(step.key(name), at, shape)
    for suffix, rows in zip(storage.suffixes, storage.encode(values, keys)):
        array = _array(step, name + suffix)
        array.index_copy_(0, at, rows.to(array.dtype))
