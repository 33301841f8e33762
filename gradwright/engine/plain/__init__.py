"""The torch engine: a program in plain torch, for tensors that no kernel serves."""
