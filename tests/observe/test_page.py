import base64
import json
import math
import re
import struct
import zlib
from html.parser import HTMLParser
from itertools import pairwise

import pytest
import torch
from torch import nn

from gradwright.observe import Cause, Event, Finding, Histogram, Record, Severity
from gradwright.observe.page import html, write
from gradwright.observe.page.axis import Linear, Logarithmic, Symmetric, spanning
from gradwright.observe.page.curves import binned
from gradwright.observe.page.grid import QUANTITIES, grid
from gradwright.observe.page.heat import groups
from gradwright.observe.page.histograms import Shown, chosen, histogram
from gradwright.observe.page.markup import element
from gradwright.observe.page.png import png
from gradwright.observe.page.shading import LEVELS, shading

from .runs import Residual, watched

AWKWARD = "<script>alert(1)</script>\"'&\x00\ud800\n日本 " + "long " * 60
VOID = ("img", "input", "meta", "br")


class Page(HTMLParser):
    """A page as a browser reads it: an error where tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.elements, self.styles = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        (self.styles if self.open[-1:] in (["style"], ["script"]) else self.texts).append(data)

    @property
    def text(self):
        return " ".join(self.texts)

    def all(self, tag, kind=""):
        every = ((found, (found.get("class") or "").split()) for name, found in self.elements if name == tag)
        return [found for found, kinds in every if not kind or kind in kinds]


FINDINGS = [
    Finding(
        Cause.LR_TOO_HIGH, Severity.CRITICAL, "It was 1.4 at step 3.", "lr=1e-4", 0.93, ("blocks.0.weight",), {}, (1, 9)
    ),
    Finding(Cause.LONG_TAIL, Severity.NOTE, "60 times as many.", "weight=balanced", 0.6),
]


@pytest.fixture(scope="module")
def record():
    return watched().record()


@pytest.fixture(scope="module")
def page(record):
    return Page(html(record, FINDINGS, "my run"))


def test_the_page_needs_nothing_but_itself(page):
    addresses = [value for _, found in page.elements for key, value in found.items() if key in ("src", "href")]
    assert addresses
    assert all(address.startswith("data:image/png;base64,") for address in addresses)
    assert {tag for tag, _ in page.elements}.isdisjoint({"link", "iframe", "object", "embed", "base"})
    assert not re.search(r"https?://|@import|url\(", " ".join(page.styles))


def test_findings_are_told_with_all_they_have(page):
    for words in (
        "2 findings: 1 critical, 1 note",
        "my run",
        Cause.LR_TOO_HIGH.value,
        "It was 1.4 at step 3.",
        "93 % sure",
    ):
        assert words in page.text
    assert "lr=1e-4" in page.text
    assert [found["class"] for found in page.all("li", "finding")] == ["finding critical", "finding note"]
    bars = page.all("i", "bar")
    assert [bar["class"] for bar in bars] == ["bar critical", "bar note"]
    assert bars[0]["style"].startswith("left:0.00%;width:27.")
    assert bars[1]["style"] == "left:0.00%;width:100.00%"


def test_every_section_is_there(page):
    for words in (
        "Loss",
        "validation",
        "Norm of the whole gradient",
        "Learning rate",
        "Layers over time",
        "Histograms",
    ):
        assert words in page.text


def test_identities_are_unique(page):
    identities = [found["id"] for _, found in page.elements if "id" in found]
    assert len(identities) == len(set(identities)) > 5


def test_words_beside_pictures_stay_within_their_frames(page):
    """Words at the ends of an axis are pushed inwards; none stands outside of its frame."""
    ticks = [found for found in page.all("span", "tick") if "left" in found["style"]]
    assert len(ticks) > 20
    for tick in ticks:
        place = float(re.search(r"left:([\d.]+)%", tick["style"])[1])
        assert 0 <= place <= 100
        assert ("first" in tick["class"]) == (place < 6)
        assert ("last" in tick["class"]) == (place > 94)
    for tick in page.all("span", "up"):
        assert 0 <= float(re.search(r"bottom:([\d.]+)%", tick["style"])[1]) <= 100


def test_lines_stay_within_their_frames(page):
    numbers = [float(n) for found in page.all("path") for n in re.findall(r"(?<=[ML ])[\d.]+", found["d"])]
    assert len(numbers) > 500
    assert min(numbers) >= 0
    assert max(numbers) <= 1000


def test_awkward_names_are_shown_and_do_nothing():
    layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    layers.add_module("<img src=x onerror=alert(1)>", nn.Linear(3, 3))
    layers.add_module(AWKWARD.replace(".", ""), nn.Linear(3, 3))
    record = watched(layers).record()
    record.events.append(Event(3, AWKWARD, AWKWARD))
    record.learning_rates[AWKWARD] = record.learning_rates["AdamW.0"]
    found = Finding(Cause.DEAD_UNITS, Severity.WARNING, AWKWARD, AWKWARD, 0.5, tuple(record.parameters), {}, (5, 5))
    text = html(record, [found], AWKWARD)
    text.encode("utf-8")
    page = Page(text)
    assert len(page.all("script")) == 1
    assert not [found for _, found in page.elements if any(key.startswith("on") for key in found)]
    assert "<script>alert(1)</script>" in page.text
    assert "\\x00" in page.text
    assert "日本" in page.text
    names = json.loads(page.all("div", "chooser")[0]["data-parameters"])
    assert names == list(record.parameters)


@pytest.mark.parametrize("depth", [1, 300])
def test_few_and_many_layers(depth):
    model = nn.Linear(4, 3) if depth == 1 else Residual(depth - 1)
    record = watched(model, steps=3).record()
    text = html(record, [])
    page = Page(text)
    assert len(text) < 2_000_000
    height = int(re.search(r"height:(\d+)px", page.all("img")[0]["style"])[1])
    assert 40 <= height <= 1300
    rows = len(record.parameters)
    assert len(base64.b64decode(page.all("div", "cells")[0]["data-levels"])) == rows * 3
    tops = [re.search(r"top:(\d+)px", found["style"]) for _, found in page.elements if "style" in found]
    places = [float(found[1]) for found in tops if found]
    assert places[0] < places[-1] <= height
    assert all(later - earlier >= 14 for earlier, later in pairwise(places) if later > earlier)


def test_a_run_without_anything_has_a_page():
    page = Page(html(Record(), []))
    assert "Nothing wrong was found" in page.text
    assert "Silence is no proof" in page.text
    assert "Layers over time" not in page.text


def test_a_run_that_broke_has_a_page():
    record = watched(steps=10).record()
    for step, loss in enumerate((math.inf, math.nan, -math.inf, math.nan), 11):
        record.loss.append(step, loss)
    page = Page(html(record, []))
    assert "not finite at 4 steps" in page.text


def test_a_page_is_written_whole_or_not_at_all(tmp_path, record, monkeypatch):
    path = write(record, FINDINGS, tmp_path / "run.html")
    before = path.read_bytes()
    assert before.startswith(b"<!doctype html>")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(ValueError, match=r"run.html.*No space left"):
        write(record, [], path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["run.html"]
    with pytest.raises(ValueError, match="cannot be written"):
        write(record, [], tmp_path / "missing" / "run.html")


def test_a_watch_reports(tmp_path):
    watch = watched(steps=6)
    assert watch.report(tmp_path / "run.html", "a title") == tmp_path / "run.html"
    assert "a title" in (tmp_path / "run.html").read_text(encoding="utf-8")


def test_heat_maps_hold_the_numbers_of_the_probes(record):
    update = next(each for each in QUANTITIES if each.key == "relative_update")
    found = grid(record, update)
    assert found.names == tuple(record.parameters)
    assert found.edges == (0, *range(1, 21), 25, 30)
    windows = record.windows
    assert found.values[0][-1] == windows[-1].parameters[found.names[0]].relative_update
    few = grid(record, update, most=5)
    assert few.edges == (0, 5, 10, 15, 20, 30)
    first = [window.parameters[few.names[1]].relative_update for window in windows[:5]]
    assert few.values[1][0] == pytest.approx(sum(first) / 5)


@pytest.mark.parametrize("scale", ["ratio", "size", "share", "cosine", "count"])
def test_levels_rise_with_values(scale):
    shade = shading(scale, [1e-5, 0.02, 0.9, math.nan, math.inf])
    values = [0.0, 1e-5, 1e-3, 0.02, 0.5, 0.9, math.inf]
    levels = [shade.level(value) for value in values]
    assert levels == sorted(levels)
    assert min(levels) >= 1
    assert max(levels) == LEVELS
    assert shade.level(math.nan) == 0
    assert len(shade.palette) == LEVELS + 1
    assert all(isinstance(shade.word(level), str) for level in range(LEVELS + 1))


def test_a_word_of_a_level_is_about_its_value():
    shade = shading("ratio", [])
    for value in (3e-6, 1e-3, 0.2):
        assert float(shade.word(shade.level(value)).replace("−", "-")) == pytest.approx(value, rel=0.08)


def test_pictures_are_png():
    rows, palette = [bytes((0, 1, 2)), bytes((2, 1, 0))], [(0, 0, 0, 0), (10, 20, 30, 40), (50, 60, 70, 255)]
    found = png(rows, palette)
    assert found[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(found):
        (length,) = struct.unpack(">I", found[at : at + 4])
        kind, content = found[at + 4 : at + 8], found[at + 8 : at + 8 + length]
        assert struct.unpack(">I", found[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + content)
        chunks[kind], at = content, at + 12 + length
    assert struct.unpack(">II", chunks[b"IHDR"][:8]) == (3, 2)
    assert zlib.decompress(chunks[b"IDAT"]) == b"\x00" + rows[0] + b"\x00" + rows[1]
    assert chunks[b"tRNS"] == bytes((0, 40, 255))


def test_stretches_of_names():
    names = [f"blocks.{k}.{part}" for k in range(100) for part in ("weight", "bias")]
    assert groups(names, 200) == list(enumerate(names))
    assert groups(names, 100)[1] == (2, "blocks.1")
    assert len(groups(names, 30)) == 25
    assert groups(["a"], 1) == [(0, "a")]
    assert groups([], 5) == []


@pytest.mark.parametrize(
    "axis",
    [
        Linear(0.0, 7.3),
        Linear(-3e-9, 2e-9),
        Linear(1, 3, whole=True),
        Linear(5.0, 5.0),
        Logarithmic(1e-7, 3.0),
        Logarithmic(2.0, 9.0),
        Logarithmic(1e-30, 1e30),
        Symmetric(-9.0, 1.5),
        Symmetric(-2.0, -1.5),
        spanning([]),
        spanning([math.nan, math.inf]),
        spanning([0.0, 1e300]),
        spanning([1.7e308, -1.7e308]),
        spanning([2.0, 2.0]),
    ],
)
def test_axes_have_a_few_ticks_in_order(axis):
    places = [place for place, _ in axis.ticks()]
    assert 1 <= len(places) <= 11
    assert places == sorted(places)
    assert all(0 <= place <= 1 for place in places)
    assert len({word for _, word in axis.ticks()}) == len(places)


def test_a_symmetric_axis_is_symmetric():
    axis = Symmetric(-6.0, 0.0)
    assert axis.place(0.0) == 0.5
    assert axis.place(1.0) == pytest.approx(1.0)
    assert axis.place(-1.0) == pytest.approx(0.0)
    for value in (1e-5, 3e-3, 0.7):
        assert axis.place(value) + axis.place(-value) == pytest.approx(1.0)
    assert axis.place(1e-3) - axis.place(1e-4) == pytest.approx(axis.place(1e-1) - axis.place(1e-2))


def test_long_curves_become_bands():
    series = [(step, float(step % 2)) for step in range(1, 10_001)]
    (run,) = binned(series, most=100)
    assert len(run) == 100
    assert all((each.low, each.mean, each.high) == (0.0, 0.5, 1.0) for each in run)


def test_a_histogram_shows_its_shares():
    counts = [0] * 64
    counts[30], counts[31] = 90, 10
    shown = Shown("it", "c0", Histogram(tuple(counts), 0, (0,) * 64))
    page = Page(histogram([shown], "a picture"))
    path = page.all("path", "line")[0]["d"]
    heights = {float(y) for _, y in re.findall(r"([\d.]+) ([\d.]+)", path)}
    y = Logarithmic(1e-4, 1.0)
    assert {round(1000 * (1 - y.place(share)), 1) for share in (0.9, 0.1)} <= heights
    assert histogram([Shown("empty", "c0", Histogram((0,) * 64, 0, (0,) * 64))], "nothing")


def test_findings_choose_the_histograms():
    record = watched(Residual(20), steps=4).record()
    named = ["blocks.7.bias", "nowhere"]
    found = chosen(record, named)
    assert len(found) == 6
    assert "blocks.7.bias" in found
    assert {"blocks.0.weight", "head.weight"} <= set(found)
    assert found == [name for name in record.parameters if name in found]


def test_attributes_are_escaped():
    assert element("p", "<", title='">') == '<p title="&quot;&gt;">&lt;</p>'


def test_a_page_of_bfloat16_and_empty_tensors():
    model = nn.Linear(4, 3)
    model.empty = nn.Parameter(torch.zeros(0))
    Page(html(watched(model, steps=3).record(), []))
