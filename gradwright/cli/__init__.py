"""The ``gradwright`` command."""

from gradwright.cli.app import application, main

__all__ = ["application", "main"]
