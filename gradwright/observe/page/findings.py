"""Findings: as a list with evidence and remedy, and as a timeline."""

from __future__ import annotations

from collections.abc import Sequence

from gradwright.observe.cause import Finding, Severity
from gradwright.observe.page.axis import Linear
from gradwright.observe.page.chart import below
from gradwright.observe.page.markup import Markup, element
from gradwright.observe.page.words import count, middle_cut, per_cent, title
from gradwright.observe.record import Event, Record

MOST_LAYERS = 8
"""Names of layers beside a finding."""

MOST_EVENTS = 40
"""Events in the timeline."""

NARROWEST = 0.6
"""Per cent of the width that a bar has at least."""


def listed(findings: Sequence[Finding]) -> Markup | None:
    """Each finding with its cause, evidence, layers and remedy."""
    return element("ol", *map(_finding, findings), class_="findings") if findings else None


def _finding(found: Finding) -> Markup:
    where = f"{_steps(found)} · {per_cent(found.confidence)} sure"
    return element(
        "li",
        element("p", badge(found.severity), " ", element("strong", found.cause.value), class_="cause"),
        element("p", found.evidence, class_="evidence"),
        _layers(found.layers),
        element("p", element("code", found.remedy), class_="remedy"),
        element("p", where, class_="faint small"),
        class_=f"finding {found.severity}",
    )


def badge(severity: Severity) -> Markup:
    """The word for how grave it is."""
    return element("span", str(severity), class_=f"badge {severity}")


def _layers(names: Sequence[str]) -> Markup | None:
    if not names:
        return None
    shown = [element("code", middle_cut(name, 60), title=name) for name in names[:MOST_LAYERS]]
    more = f" and {count(len(names) - MOST_LAYERS, 'more')}".removesuffix("s") if len(names) > MOST_LAYERS else ""
    return element("p", *shown, more, class_="layers")


def _steps(found: Finding) -> str:
    first, last = found.steps
    if last < 1:
        return "the whole run"
    return f"step {first}" if first == last else f"steps {first} to {last}"


def timeline(findings: Sequence[Finding], record: Record) -> Markup | None:
    """A bar for each finding from the first step at which it was seen to the last, and a mark for each event."""
    if not findings and not record.events:
        return None
    steps = Linear(1, max(2, record.steps), whole=True)
    rows = [_row(title(found.cause), _bar(found, steps)) for found in findings]
    if record.events:
        rows.append(_row("events", *[_event(event, steps) for event in record.events[:MOST_EVENTS]]))
    ticks = [below(at, word, spare=bool(k % 2)) for k, (at, word) in enumerate(reversed(steps.ticks()))]
    rows.append(_row("", *ticks, kind="ticks"))
    return element("div", *rows, class_="timeline", role="img", aria_label=_said(findings))


def _row(name: str, *content: Markup, kind: str = "track") -> Markup:
    return element("div", element("span", name, class_="row-name"), element("div", *content, class_=kind), class_="row")


def _bar(found: Finding, steps: Linear) -> Markup:
    first, last = found.steps if found.steps[1] >= 1 else (1, steps.high)
    left, right = 100 * steps.place(first), 100 * steps.place(last)
    wide = max(NARROWEST, right - left)
    style = f"left:{min(left, 100 - wide):.2f}%;width:{wide:.2f}%"
    return element("i", class_=f"bar {found.severity}", style=style, title=f"{_steps(found)}: {found.evidence}")


def _event(event: Event, steps: Linear) -> Markup:
    place = min(100 * steps.place(event.step), 100 - NARROWEST)
    said = f"step {event.step}: {event.text or event.kind}"
    return element("i", class_="bar event", style=f"left:{place:.2f}%;width:{NARROWEST}%", title=said)


def events(record: Record) -> Markup | None:
    """What happened, in words."""
    if not record.events:
        return None
    rows = [
        element("li", element("span", f"step {event.step}", class_="faint"), " ", event.text or event.kind)
        for event in record.events[:MOST_EVENTS]
    ]
    more = len(record.events) - MOST_EVENTS
    rest = element("li", f"and {count(more, 'event')} more", class_="faint") if more > 0 else None
    return element("details", element("summary", count(len(record.events), "event")), element("ul", *rows, rest))


def _said(findings: Sequence[Finding]) -> str:
    return "; ".join(f"{title(found.cause)}: {_steps(found)}" for found in findings) or "Events of the run"
