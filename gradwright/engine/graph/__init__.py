"""The graph of a step: traced from a chain, cut into a program, printed as equations."""
