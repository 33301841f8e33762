"""Rows of X, wherever they lie: what users pass, checked; passes over it; and the kernels that make them."""
