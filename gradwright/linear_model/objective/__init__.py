"""The smooth part of what is minimised, with its derivatives, in coordinates that are well scaled."""
