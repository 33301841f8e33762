"""EXACT: the accuracy under noise, by quadrature and as a compiled kernel."""
