"""The page of a run: one file that needs nothing but itself."""

from gradwright.observe.page.page import html, write

__all__ = ["html", "write"]
