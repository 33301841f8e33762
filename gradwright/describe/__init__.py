"""Recipes and losses in plain text: what there is, what it is made of, what runs as kernels; the tables of the docs."""

from gradwright.describe.text import explanation, latex_equations, rows, select, state_bytes

__all__ = ["explanation", "latex_equations", "rows", "select", "state_bytes"]
