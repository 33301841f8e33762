"""Methods for smooth functions: a line search, a trust region, and a portfolio of several."""
