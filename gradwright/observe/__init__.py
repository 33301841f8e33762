"""See a training run, and be told what is wrong with it."""

from gradwright.observe.cause import Cause, Finding, Severity
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

__all__ = [
    "HISTOGRAM_EDGES",
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
    "Validation",
    "Window",
]
