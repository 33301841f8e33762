"""Drawing: SVG without any library: texts that fit where they stand, axes with round ticks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from unicodedata import east_asian_width

import numpy as np

from gradwright.linear_model.fit_table.text import shown

WIDTH = 440
"""Of every picture, in units that are pixels on a narrow telephone."""
BOTTOM, TOP = 250, 14
"""Of the area between axes."""


def svg(height: float, body: list[str], label: str) -> str:
    """The picture."""
    return f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(label)}">{"".join(body)}</svg>'


def width(words: str) -> float:
    """About how wide a text is, and rather more than less."""
    return sum(13.0 if east_asian_width(c) in "WF" else 9.5 if c.isupper() or c in "mw%@—…" else 7.0 for c in words)


def fitted(value: object, room: float) -> str:
    """A text, cut in its middle so that it is at most ``room`` wide: names that begin alike differ at their ends."""
    words = shown(value, 200)
    if width(words) <= room:
        return words
    for kept in range(len(words) - 1, 0, -1):
        tail = kept // 3
        cut = words[: kept - tail].rstrip() + "…" + words[len(words) - tail :].lstrip()
        if width(cut) <= room:
            return cut
    return "…"


def apart(values: Iterable[object], room: float) -> list[str]:
    """Texts of at most ``room``; where cuts would make two of them alike, without what all begin and end with."""
    words = [shown(value, 200) for value in values]
    cut = [fitted(word, room) for word in words]
    if len(set(cut)) == len(set(words)):
        return cut
    head = _shared(words)
    rest = [word[head:] for word in words]
    tail = _shared([word[::-1] for word in rest])
    middle = [word[: len(word) - tail] for word in rest]
    return [fitted("…" * (head > 0) + word + "…" * (tail > 0), room) for word in middle]


def _shared(words: list[str]) -> int:
    """How many letters all begin with."""
    letters = enumerate(zip(*words))
    return next((place for place, several in letters if len(set(several)) > 1), min(map(len, words)))


def text(
    x: float, y: float, value: object, anchor: str = "start", style: str = "", room: float = WIDTH, words: str = ""
) -> str:
    """A text of at most ``room``, or ``words`` for it; what is cut is shown in full where the mouse rests on it."""
    words = words or fitted(value, room)
    full = shown(value, 200)
    title = "" if words == full else f"<title>{escape(full)}</title>"
    css = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{css}>{title}{escape(words)}</text>'


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from low to high."""
    wide = high - low
    if not (np.isfinite(wide) and wide > 0):
        return [low]
    rough = wide / most
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= rough)
    first = np.ceil(low / step - 1e-9)
    return [float(k * step) + 0.0 for k in np.arange(first, np.floor(high / step + 1e-9) + 1)] or [low]


def plain(value: float, digits: int = 4) -> str:
    """A number with some digits, and without an exponent where it is of a usual size."""
    if value != 0 and 1e-4 <= abs(value) < 1e9:
        rounded = float(f"{value:.{digits}g}")
        return f"{rounded:.0f}" if abs(rounded) >= 10.0 ** (digits - 1) else f"{rounded:g}"
    return f"{value:.{digits}g}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")


def tick_labels(values: list[float]) -> list[str]:
    """Ticks with as many digits as tell them apart."""
    for digits in range(3, 17):
        labels = [plain(value, digits) for value in values]
        if len(set(labels)) == len(values):
            break
    return [label.replace("-", "−") for label in labels]


@dataclass(frozen=True)
class Axes:
    """Two axes over ranges; the left margin is as wide as its labels.

    Attributes:
        x, y: what they show.
        across, up: (low, high) of each.
        marks: values and labels of ticks of y; None for round numbers.
        whole: whether only whole numbers make sense on x.
    """

    x: str
    y: str
    across: tuple[float, float]
    up: tuple[float, float]
    marks: tuple[list[float], list[str]] | None = None
    whole: bool = False

    @property
    def rows(self) -> tuple[list[float], list[str]]:
        """Ticks of y."""
        if self.marks is not None:
            return self.marks
        values = ticks(*self.up)
        return values, tick_labels(values)

    @property
    def columns(self) -> tuple[list[float], list[str]]:
        """Ticks of x, no more than have room."""
        for most in (4, 3, 2, 1):
            values = ticks(*self.across, most=most)
            if self.whole:
                values = [value for value in values if value == round(value)] or [self.across[0]]
            labels = tick_labels(values)
            if len(values) * (max(map(width, labels)) + 10) < WIDTH - 24 - self.left:
                break
        return values, labels

    @property
    def left(self) -> float:
        """Where the area begins."""
        return 30.0 + max(width(label) for label in self.rows[1])

    def at(self, a: float, b: float) -> tuple[float, float]:
        """Where a point is drawn."""
        (x0, x1), (y0, y1) = self.across, self.up
        part = (a - x0) / (x1 - x0) if x1 > x0 else 0.5
        rise = (b - y0) / (y1 - y0) if y1 > y0 else 0.5
        return self.left + (WIDTH - 24 - self.left) * part, BOTTOM - (BOTTOM - TOP) * rise

    def draw(self) -> list[str]:
        """Both lines, ticks and names."""
        left, right = self.left, WIDTH - 24
        middle = 0.5 * (BOTTOM + TOP)
        out = [f'<path d="M{left:.1f} {TOP}V{BOTTOM}H{right}" fill="none" stroke="var(--line)"/>']
        for value, label in zip(*self.columns):
            x, _ = self.at(value, self.up[0])
            out.append(f'<path d="M{x:.1f} {BOTTOM}v4" stroke="var(--line)"/>')
            # the outer labels stay inside of the picture
            half = 0.5 * width(label)
            out.append(text(min(x, WIDTH - half), BOTTOM + 18, label, "middle", "soft"))
        for value, label in zip(*self.rows):
            _, y = self.at(self.across[0], value)
            out.append(f'<path d="M{left - 4:.1f} {y:.1f}h4" stroke="var(--line)"/>')
            out.append(text(left - 7, y + 4, label, "end", "soft"))
        out.append(text(0.5 * (left + right), BOTTOM + 36, self.x, "middle", "soft"))
        turned = f'transform="rotate(-90 13 {middle:.0f})" text-anchor="middle" class="soft"'
        out.append(f'<text x="13" y="{middle:.0f}" {turned}>{escape(self.y)}</text>')
        return out
