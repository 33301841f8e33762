"""Diagnosis: what limits the score of a fitted model, in plain words."""

from gradwright.linear_model.diagnosis.diagnose import diagnose
from gradwright.linear_model.diagnosis.findings import Diagnosis
