"""The C++ engine: a program as one compiled kernel over tensors on the CPU."""
