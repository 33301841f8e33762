"""Bounds that many knobs have."""

FRACTION = (0.0, 1.0)
"""From 0 up to but not including 1: decay rates of averages."""
