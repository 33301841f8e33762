"""Certificates: how far a point may be above the minimum at most, and what a fit says of itself."""

from gradwright.linear_model.certificate.factor import Factor
from gradwright.linear_model.certificate.floor import Floor
from gradwright.linear_model.certificate.result import FitResult, Record, Status
