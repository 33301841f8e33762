"""Losses and penalties: what is minimised, as functions of one prediction and of the coefficients."""
