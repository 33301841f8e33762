"""Certificates: how far a point may be above the minimum at most, and what a fit says of itself."""
