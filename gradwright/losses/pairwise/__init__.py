"""Losses of the margins between the label and its rivals: smooth stand-ins for accuracy."""
