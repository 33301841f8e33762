"""What benchmarks/constrained.py is made of."""
