"""The problem as solvers see it: unknowns, bounds, and a function that is evaluated, counted and differentiated."""
