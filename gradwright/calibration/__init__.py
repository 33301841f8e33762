"""Calibration: does a claimed probability come true as often as claimed, and how to make it.

Metrics are gathered batch by batch (``update``, ``merge``, ``sync``, ``compute``) in sums of float64.
"""

from gradwright.calibration.bins import Reliability
from gradwright.calibration.diagram import reliability_diagram
from gradwright.calibration.error import AdaptiveCalibrationError, CalibrationError
from gradwright.calibration.scores import Brier, BrierParts, NegativeLogLikelihood
from gradwright.calibration.temperature import TemperatureFit, TemperatureScaling

__all__ = [
    "AdaptiveCalibrationError",
    "Brier",
    "BrierParts",
    "CalibrationError",
    "NegativeLogLikelihood",
    "Reliability",
    "TemperatureFit",
    "TemperatureScaling",
    "reliability_diagram",
]
