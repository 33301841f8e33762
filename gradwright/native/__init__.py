"""Compiled code: how C++ is built and kept, its mathematical functions, and how many threads it may use."""
