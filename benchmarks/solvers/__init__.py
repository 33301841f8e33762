"""What benchmarks/solvers.py is made of."""
