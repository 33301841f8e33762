"""Losses of one label a row: each sample by itself, most of them curves of the probability of its label."""
