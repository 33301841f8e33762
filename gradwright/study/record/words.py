"""Numbers and lists as a reader wants them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gradwright.study.tasks.task import Metric


def listing(names: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""


def plural(noun: str, count: int = 2) -> str:
    """The noun for so many.

    >>> plural("loss"), plural("pair", 1)
    ('losses', 'pair')
    """
    return noun if count == 1 else f"{noun}es" if noun.endswith("s") else f"{noun}s"


def decimals(value: float, significant: int = 2) -> int:
    """Decimals that show ``significant`` digits of a value."""
    if not math.isfinite(value) or value == 0:
        return 3
    return max(0, significant - 1 - math.floor(math.log10(abs(value))))


def number(value: float, significant: int = 4) -> str:
    """Four significant digits, or a dash where there is nothing.

    >>> number(2.08449), number(float("nan"))
    ('2.084', '–')
    """
    if math.isnan(value):
        return "–"
    if value == 0:
        return "0"
    if abs(value) < 1e-4 or abs(value) >= 1e6 or math.isinf(value):
        return f"{value:.3g}"
    return f"{value:.{min(decimals(value, significant), 6)}f}"


def plus_minus(mean: float, deviation: float) -> str:
    """The mean to the digits that its deviation justifies, five at most.

    >>> plus_minus(2.08449, 0.0213)
    '2.084 ± 0.021'
    """
    if math.isnan(mean) or math.isnan(deviation) or deviation == 0:
        return number(mean)
    digits = min(decimals(deviation), decimals(mean, 5))
    return f"{mean:.{digits}f} ± {deviation:.{digits}f}"


def value(metric: Metric, x: float) -> str:
    """A value of a metric; shares in per cent.

    >>> value(Metric("a", "accuracy", share=True), 0.41239)
    '41.2 %'
    """
    return f"{100 * x:.1f} %" if metric.share and math.isfinite(x) else number(x)


def mean_and_deviation(metric: Metric, mean: float, deviation: float) -> str:
    """A mean of a metric and its deviation; shares in per cent.

    >>> mean_and_deviation(Metric("a", "accuracy", share=True), 0.41239, 0.0052)
    '41.2 ± 0.5 %'
    """
    if metric.share and math.isfinite(mean):
        return f"{100 * mean:.1f} %" if math.isnan(deviation) else f"{100 * mean:.1f} ± {100 * deviation:.1f} %"
    return plus_minus(mean, deviation)


def difference(metric: Metric, *gaps: float) -> list[str]:
    """Differences of a metric, to the digits that the first justifies, or one more where that would hide the sign of
    another; of shares in points of a hundred.

    >>> difference(Metric("a", "accuracy", share=True), 0.0312, 0.02), difference(Metric("l", "loss"), 0.0312, 0.02)
    (['3.1', '2.0'], ['0.031', '0.020'])
    >>> difference(Metric("a", "accuracy", share=True), 0.0088, 0.0002, 0.0174)
    ['0.88', '0.02', '1.74']
    """
    scale, digits = (100, 1) if metric.share else (1, decimals(gaps[0]))
    if any(0 < abs(scale * gap) < 0.5 * 0.1**digits for gap in gaps):
        digits += 1
    return [f"{scale * gap:.{digits}f}" for gap in gaps]
