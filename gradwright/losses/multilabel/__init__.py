"""Losses of samples with any number of labels, and of several things classified at once."""
