"""See a training run, and be told what is wrong with it."""

from gradwright.observe.cause import Cause, Finding, Severity
from gradwright.observe.diagnosis import diagnose
from gradwright.observe.record import (
    HISTOGRAM_EDGES,
    BatchProbe,
    Data,
    Event,
    Held,
    Histogram,
    Histograms,
    LayerProbe,
    ParameterProbe,
    Record,
    Validation,
    Window,
)
from gradwright.observe.series import Series
from gradwright.observe.sinks import read
from gradwright.observe.thresholds import LIMITS, Thresholds
from gradwright.observe.watch import Watch

__all__ = [
    "HISTOGRAM_EDGES",
    "LIMITS",
    "BatchProbe",
    "Cause",
    "Data",
    "Event",
    "Finding",
    "Held",
    "Histogram",
    "Histograms",
    "LayerProbe",
    "ParameterProbe",
    "Record",
    "Series",
    "Severity",
    "Thresholds",
    "Validation",
    "Watch",
    "Window",
    "diagnose",
    "read",
]
