import builtins
import importlib.util
import json
import math
import sys
import warnings
from dataclasses import asdict, fields

import pytest
import torch
from torch import nn

from gradwright.observe import Record, Series, Watch, Window, diagnose, read
from gradwright.observe.page import html
from gradwright.observe.record import BatchProbe, Data, Event, Held, Histogram, Histograms, LayerProbe, ParameterProbe
from gradwright.observe.sinks import Callback, JsonLines, flat
from gradwright.observe.sinks.tensorboard import CENTRES, ENDS

from .runs import watched

needs_tensorboard = pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="no tensorboard")


def caught_by(action):
    """The warnings that come of it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        action()
    return [str(each.message) for each in caught if "Watch" in str(each.message)]


def test_a_callable_gets_flat_names_and_floats():
    told = []
    watch = watched(to=told.append)
    watch.close()
    assert [found["step"] for found in told] == [float(window.step) for window in watch.record().windows]
    last, window = told[-1], watch.record().windows[-1]
    assert all(type(value) is float and not math.isnan(value) for found in told for value in found.values())
    assert last["blocks.0.weight/relative_update"] == window.parameters["blocks.0.weight"].relative_update
    assert last["learning_rate/AdamW.0"] == 0.01
    assert last["loss"] == window.loss
    assert last["gradient_norm"] == window.norm
    assert 0 <= last["batch/accuracy"] <= 1
    assert any(name.endswith("/rms") for name in last)
    assert json.loads(json.dumps(last)) == last


def test_a_callable_gets_each_validation_value_once():
    told = []
    watch = watched(steps=40)
    watch.record()
    watch.to(told.append)
    for value in (3.0, 2.0):
        watch.validation(value)
    for _ in range(20):
        watch.step(1.0)
    watch.close()
    values = [found["validation"] for found in told if "validation" in found]
    assert values == [2.0]


def test_only_the_probes_that_are_wanted():
    told = []
    watch = watched(steps=3)
    watch.to(told.append, only=["gradient", "rms"])
    watch.close()
    assert {name.rsplit("/", 1)[1] for name in told[-1] if name.startswith(("blocks", "head"))} == {"gradient", "rms"}
    with pytest.raises(ValueError, match=r"only='gradeint'.*gradient"):
        watch.to(told.append, only=["gradeint"])
    with pytest.raises(ValueError, match="leave it out"):
        watch.to("run.jsonl", only=["gradient"])
    with pytest.raises(TypeError, match="cannot be called"):
        watch.to(3)


def test_a_loss_that_is_not_finite_is_told():
    record = Record(steps=1)
    record.loss.append(1, math.nan)
    assert math.isnan(flat(Window(1), record)["loss"])
    assert "loss" not in flat(Window(1), Record(steps=1))


def test_a_sink_that_fails_is_told_no_more():
    calls = []

    def broken(found):
        calls.append(found["step"])
        raise OSError(28, "No space left on device")

    told = []

    def run():
        watch = watched(to=broken)
        watch.to(told.append)
        watch.close()
        assert len(watch.record().events) == 1
        assert "No space left" in watch.record().events[0].text

    (said,) = caught_by(run)
    assert "broken" in said
    assert "No space left" in said
    assert len(calls) == 1
    assert told[-1]["step"] == 30


def test_a_closed_file_does_not_end_the_run(tmp_path):
    file = open(tmp_path / "log", "w")  # noqa: SIM115
    file.close()
    told = caught_by(lambda: watched(to=lambda found: file.write(str(found))).close())
    assert len(told) == 1
    assert "closed file" in told[0]


def test_a_full_disk_does_not_end_the_run(tmp_path, monkeypatch):
    path = tmp_path / "run.jsonl"
    room = iter(range(3))

    def full(name, mode="r", *arguments, **options):
        if str(name) == str(path) and "a" in mode and next(room, None) is None:
            raise OSError(28, "No space left on device")
        return open_file(name, mode, *arguments, **options)

    open_file = builtins.open
    monkeypatch.setattr(builtins, "open", full)
    told = caught_by(lambda: watched(to=path).close())
    assert len(told) == 1
    assert "No space left" in told[0]
    monkeypatch.undo()
    assert [window.step for window in read(path).windows] == [1, 2, 3]


def same(a, b):
    """Equal, where NaN equals NaN and a probe has seven digits."""
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or a == pytest.approx(b, rel=1e-6)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return a == b


def plain(record):
    """All of a record that a file keeps."""
    found = {field.name: getattr(record, field.name) for field in fields(Record)}
    found["windows"] = [asdict(window) for window in record.windows]
    found["histograms"] = [asdict(each) for each in record.histograms[: None if record.last_histograms_stay else -1]]
    found["parameters"] = {name: asdict(held) for name, held in record.parameters.items()}
    found["data"] = asdict(record.data)
    for name in ("loss", "scale"):
        found[name] = list(found[name])
    found["learning_rates"] = {name: list(series) for name, series in record.learning_rates.items()}
    del found["last_histograms_stay"]
    return found


def test_json_lines_are_read_back(tmp_path):
    path = tmp_path / "run.jsonl"
    watch = watched(steps=43, to=path)
    watch.close()
    record, found = watch.record(), read(path)
    for name, value in plain(record).items():
        assert same(plain(found)[name], value), name
    assert list(found.loss) == list(record.loss)
    assert [str(each) for each in diagnose(found)] == [str(each) for each in diagnose(record)]
    assert "Layers over time" in html(found, [])


def test_every_line_is_strict_json(tmp_path):
    path = tmp_path / "run.jsonl"
    watched(to=path).close()

    def refuse(word):
        raise AssertionError(word)

    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) > 20
    assert all(isinstance(json.loads(line, parse_constant=refuse), dict) for line in lines)


def test_everything_a_record_can_hold_goes_through_a_file(tmp_path):
    odd = 'nan "\n\ud800\u2028 日本'
    window = Window(
        3,
        2,
        {"nan": ParameterProbe(weight=math.inf, gradient=-math.inf, absent=True), odd: ParameterProbe(update=1e-30)},
        {"": LayerProbe(rms=2.0, reads_data=True), "inf": LayerProbe()},
        BatchProbe(4, 3, 1.5, 0.25, 0.5, 0.0, 1.0),
        norm=math.nan,
        loss=math.inf,
        skipped=True,
    )
    bins = Histogram((0,) * 60 + (1, 0, 2, 0), 7, (0,) * 64)
    record = Record(
        steps=3,
        windows=[window],
        events=[Event(2, "nan", odd, ("inf", odd))],
        parameters={"nan": Held((2, 3), "torch.bfloat16", "AdamW", 0), odd: Held((), "torch.float32", in_model=False)},
        settings={"nan": {"lr": 0.1, "eps": math.inf}},
        data=Data((3.0, 1.0), 2, 4.0, 0.1, math.nan, True),
        histograms=[Histograms(1, {"nan": bins}, {odd: bins}, {})],
        activations=True,
    )
    for series in (record.loss, record.scale, record.learning_rates.setdefault("nan", Series())):
        for step, value in enumerate((1.0, math.nan, math.inf), 1):
            series.append(step, value)
    path = tmp_path / "run.jsonl"
    sink = JsonLines(path)
    sink(window, record)
    second = Window(4, parameters={"nan": ParameterProbe(weight=1.0)})
    record.windows.append(second)
    record.steps = 4
    sink(second, record)
    sink(Window(5), record)
    record.windows.append(Window(5))
    sink.close(record)
    found, wanted = plain(read(path)), plain(record)
    for name, value in wanted.items():
        assert same(found[name], value), (name, found[name], value)


def test_a_torn_last_line_is_left_out(tmp_path):
    path = tmp_path / "run.jsonl"
    watched(to=path).close()
    whole = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(whole[:5]) + whole[5][:40], encoding="utf-8")
    assert [window.step for window in read(path).windows] == [1, 2, 3, 4]
    path.write_text("".join(whole[:5]) + whole[5][:40] + "\n" + whole[6], encoding="utf-8")
    with pytest.raises(ValueError, match="broken in line 6"):
        read(path)


@pytest.mark.parametrize("content", ["", "{}\n", "not json\n", '{"format": "another"}\n', "\x00\xff"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "run.jsonl"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=r"run\.jsonl"):
        read(path)
    with pytest.raises(ValueError, match="cannot be read"):
        read(tmp_path / "missing.jsonl")
    with pytest.raises(ValueError, match="cannot be written"):
        JsonLines(tmp_path / "missing" / "run.jsonl")


def test_a_watch_closes_once(tmp_path):
    closed = []

    class Sink:
        def __call__(self, window, record):
            pass

        def close(self, record):
            closed.append(record.steps)

    watch = watched(steps=2)
    watch.subscribe(Sink())
    watch.close()
    watch.close()
    assert closed == [2]


def test_without_tensorboard_the_way_out_is_said(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    watch = Watch(model := nn.Linear(2, 1), torch.optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(ModuleNotFoundError, match=r'pip install "gradwright\[tensorboard\]"'):
        watch.to_tensorboard(tmp_path)


def test_the_buckets_of_a_histogram_are_in_order():
    assert len(ENDS) == len(CENTRES) == 129
    assert sorted(ENDS) == ENDS
    below = [-math.inf, *ENDS[:-1]]
    assert all(low <= centre <= high for low, centre, high in zip(below, CENTRES, ENDS))


@needs_tensorboard
def test_tensorboard_reads_what_was_written(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    watch = watched(steps=32)
    watch.close()
    watch = watched_to_tensorboard(tmp_path)
    events = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0, "histograms": 0, "tensors": 0})
    events.Reload()
    tags = events.Tags()
    record = watch.record()
    assert [(each.step, each.value) for each in events.Scalars("loss")] == [
        (step, pytest.approx(value)) for step, value in record.loss
    ]
    assert [each.step for each in events.Scalars("validation")] == [10, 20, 30]
    updates = events.Scalars("blocks.0.weight/relative_update")
    assert [each.step for each in updates] == [window.step for window in record.windows if window.parameters]
    assert updates[-1].value == pytest.approx(record.windows[-1].parameters["blocks.0.weight"].relative_update)
    assert {"blocks.0.weight/gradients", "blocks.0.weight/updates", "blocks.0.weight/weights"} <= set(
        tags["histograms"]
    )
    (found, *_) = events.Histograms("blocks.0.weight/gradients")
    assert found.histogram_value.num == 16
    assert found.histogram_value.bucket_limit == sorted(found.histogram_value.bucket_limit)
    assert any("findings" in tag for tag in tags["tensors"])


def watched_to_tensorboard(folder):
    """A run that TensorBoard sees."""
    from .runs import watched as run

    watch = run(steps=0)
    watch.to_tensorboard(folder)
    model, optimizer = watch.model, watch.optimizers[0]
    for step in range(32):
        loss = model(torch.randn(8, 4)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
        if step % 10 == 9:
            watch.validation(loss)
    watch.close()
    return watch


def test_a_callback_is_named_by_its_function():
    def wanted(found):
        pass

    assert repr(Callback(wanted)).endswith("wanted")
