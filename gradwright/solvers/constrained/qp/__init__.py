"""Quadratic programs: minimise ½xᵀPx + qᵀx subject to linear constraints."""
