"""Faults by cause: each changes a healthy setup, by a random strength. These set the thresholds of the diagnosis."""

from benchmarks.sick.faults import data, network, steps, wiring
from benchmarks.sick.faults.fault import (
    ADAPTIVE,
    ALL,
    CLASSES,
    FAULTS,
    Fault,
    between,
    fault,
    in_short_type,
    scaled_weights,
    with_inputs,
)
from benchmarks.sick.faults.wiring import with_modes

__all__ = [
    "ADAPTIVE",
    "ALL",
    "CLASSES",
    "FAULTS",
    "Fault",
    "between",
    "fault",
    "in_short_type",
    "scaled_weights",
    "with_inputs",
    "with_modes",
]
