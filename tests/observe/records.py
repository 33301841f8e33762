"""Records made by hand: a healthy one, and what changes in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gradwright.observe import BatchProbe, Data, Held, LayerProbe, ParameterProbe, Record, Series, Validation, Window

NAMES = ("first.weight", "first.bias", "second.weight", "second.bias", "third.weight", "head.weight")
STEPS = 100
WATCHED = (*range(1, 21), *range(30, STEPS + 1, 10))

PROBE = ParameterProbe(
    weight=0.1,
    gradient=0.01,
    update=5e-4,
    relative_update=5e-3,
    slope=-1e-4,
    largest=0.05,
    zero=0.0,
    lost=0.0,
    eps=0.0,
    decay=0.01,
    turn=0.5,
    alike=0.3,
    kurtosis=4.0,
    tail=0.1,
    hill=5.0,
)


def held(name: str, **changes: Any) -> Held:
    shape = (32, 32) if name.endswith("weight") else (32,)
    return replace(Held(shape, "float32", "AdamW", 0), **changes)


def window(step: int) -> Window:
    """A watched step of a healthy run; gradients vary a little from step to step."""
    wave = 1 + 0.2 * (step % 3)
    return Window(
        step,
        1 if step <= 20 else 10,
        {name: replace(PROBE, gradient=0.01 * wave) for name in NAMES},
        {
            "first": LayerProbe(rms=1.0, inputs=1.0, reads_data=True),
            "act": LayerProbe(rms=1.0, dead=0.1, saturated=0.01),
            "head": LayerProbe(rms=1.0, inputs=1.0),
        },
        BatchProbe(32, 10, 2.3 * 0.97**step, min(0.95, 0.1 + step / 50), 1.0, 0.1, 0.1, 2.0 * 0.97**step),
        norm=0.5 * wave,
        slope=-0.02,
        alike=0.3,
        kept=0.2,
        loss=2.3 * 0.97**step,
        cleared=1.0 if step > 1 else float("nan"),
    )


def series(values: list[float]) -> Series:
    found = Series()
    for step, value in enumerate(values, 1):
        found.append(step, value)
    return found


def healthy() -> Record:
    """A run of a hundred steps in which nothing is wrong."""
    return Record(
        steps=STEPS,
        windows=[window(step) for step in WATCHED],
        loss=series([2.3 * 0.97**step for step in range(1, STEPS + 1)]),
        learning_rates={"AdamW.0": series([1e-3] * STEPS)},
        validation=[Validation(step, 2.3 * 0.97**step + 0.1, 2.3 * 0.97**step) for step in range(10, STEPS + 1, 10)],
        parameters={name: held(name) for name in NAMES},
        settings={"AdamW.0": {"lr": 1e-3, "eps": 1e-8, "weight_decay": 0.01}},
        data=Data((320.0,) * 10, STEPS, 32.0, 0.0, 0.01),
        activations=True,
    )


def with_probes(record: Record, *, only: tuple[str, ...] = NAMES, upto: int = STEPS, **changes: Any) -> Record:
    """Some numbers of some parameters, at all watched steps."""

    def changed(each: Window) -> Window:
        probes = each.parameters.items()
        found = {name: replace(probe, **changes) if name in only else probe for name, probe in probes}
        return replace(each, parameters=found) if each.step <= upto else each

    return replace(record, windows=[changed(each) for each in record.windows])


def with_windows(record: Record, **changes: Any) -> Record:
    """Some numbers of all windows."""
    return replace(record, windows=[replace(each, **changes) for each in record.windows])


def with_layers(record: Record, name: str, **changes: Any) -> Record:
    """Some numbers of one layer."""
    found = [
        replace(each, layers={**each.layers, name: replace(each.layers.get(name, LayerProbe()), **changes)})
        for each in record.windows
    ]
    return replace(record, windows=found)


def with_batches(record: Record, **changes: Any) -> Record:
    """Some numbers of outputs against targets."""
    return replace(record, windows=[replace(each, batch=replace(each.batch, **changes)) for each in record.windows])


def with_loss(record: Record, first: float, last: float) -> Record:
    """A loss that goes from one value to another."""
    return replace(record, loss=series([first + (last - first) * at / STEPS for at in range(STEPS)]))
