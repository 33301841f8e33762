"""The Triton engine: a program as Triton kernels over tensors on a GPU."""
