"""Sequential quadratic programming."""
