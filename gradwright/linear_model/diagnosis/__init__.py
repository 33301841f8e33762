"""Diagnosis: what limits the score of a fitted model, in plain words."""
