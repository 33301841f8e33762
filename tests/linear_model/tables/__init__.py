"""Tests of ``gradwright fit``: files of every kind, what is written, and the page."""
