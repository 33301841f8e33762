"""Property tests draw the same examples in every run, and few of them."""

from hypothesis import settings

settings.register_profile("gradwright", derandomize=True, deadline=None, max_examples=10, database=None)
settings.load_profile("gradwright")
