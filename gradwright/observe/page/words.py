"""Numbers, names and counts as a reader wants them."""

from __future__ import annotations

import math

from gradwright.core.lines import one_line
from gradwright.observe.cause import Cause, Finding, Severity

RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
NAMES = {"Lr ": "Learning rate ", "Eval ": "Evaluation "}


def number(value: float, digits: int = 3) -> str:
    """The number with a few digits and a true minus; a dash where there is none.

    >>> number(0.00123456), number(-2.5e-9), number(float("nan")), number(1234567.0)
    ('0.00123', '−2.5e−9', '–', '1.23e6')
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    shown = f"{value:.{digits}g}"
    if "e" in shown:
        mantissa, power = f"{value:.{digits - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        shown = f"{mantissa}e{int(power)}"
    return shown.replace("-", "−")


def power_of_ten(exponent: int) -> str:
    """10 to this power.

    >>> power_of_ten(-3), power_of_ten(0)
    ('10⁻³', '1')
    """
    return "1" if exponent == 0 else f"10{str(exponent).translate(RAISED)}"


def per_cent(share: float) -> str:
    """A share in per cent.

    >>> per_cent(0.0312), per_cent(1.0)
    ('3.1 %', '100 %')
    """
    if math.isnan(share):
        return "–"
    return f"{100 * share:.1f} %" if 0 < abs(share) < 0.0995 else f"{100 * share:.0f} %"


def count(n: int, noun: str) -> str:
    """So many of them.

    >>> count(1, "step"), count(12000, "step")
    ('1 step', '12 000 steps')
    """
    return f"{n:,} {noun}{'s' if n != 1 else ''}".replace(",", "\N{NO-BREAK SPACE}")


def title(cause: Cause) -> str:
    """The cause in a few words.

    >>> title(Cause.LR_TOO_HIGH), title(Cause.EPS_RULES)
    ('Learning rate too high', 'Eps rules')
    """
    words = cause.name.replace("_", " ").capitalize()
    for short, long in NAMES.items():
        words = words.replace(short, long)
    return words


def middle_cut(name: str, most: int) -> str:
    """The name in one line of at most so many letters, without its middle where it is longer: ends tell names apart.

    >>> middle_cut("blocks.10.attention.query.weight", 20)
    'blocks.1…uery.weight'
    """
    line = one_line(name)
    if len(line) <= most:
        return line
    head = (most - 1) * 2 // 5
    return f"{line[:head]}…{line[len(line) - (most - 1 - head) :]}"


def headline(findings: list[Finding]) -> str:
    """What was found, in one line.

    >>> headline([])
    'Nothing wrong was found'
    """
    if not findings:
        return "Nothing wrong was found"
    counts = {level: sum(found.severity is level for found in findings) for level in sorted(Severity, reverse=True)}
    said = [f"{n} {level}{'s' if n > 1 and level is not Severity.CRITICAL else ''}" for level, n in counts.items() if n]
    return f"{count(len(findings), 'finding')}: {', '.join(said)}"
