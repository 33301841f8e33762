"""Solvers: from a problem to its minimum, with the certificate."""
