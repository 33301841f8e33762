"""Presets: an optimizer for a whole model in one call, each parameter with the recipe for its role."""

from gradwright.presets.muon import muon

__all__ = ["muon"]
