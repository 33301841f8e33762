"""Tasks like none of the others, kept for one run after the settings of an optimizer were fixed for good."""
