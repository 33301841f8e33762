"""What a comparison says: the verdict, its reasons and pictures, on a page and on the terminal."""

from gradwright.study.report.save import save
from gradwright.study.report.terminal import show

__all__ = ["save", "show"]
