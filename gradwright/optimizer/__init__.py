"""The optimizer: param groups, state, checkpoints, and the classes that recipes become."""
