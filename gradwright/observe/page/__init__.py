"""The page of a run: one file that needs nothing but itself."""

from gradwright.observe.page.page import figure_styles, html, write

__all__ = ["figure_styles", "html", "write"]
