"""Writing a study down: the numbers, the tables and the page."""

from __future__ import annotations

import os
from dataclasses import replace

from gradwright.study.record.files import writable, write
from gradwright.study.record.store import to_json
from gradwright.study.record.study import Study
from gradwright.study.record.tables import curves_csv, runs_csv
from gradwright.study.report.page import html

FILES = {"results.json": to_json, "runs.csv": runs_csv, "curves.csv": curves_csv, "index.html": html}
"""The numbers first: they are safe should the page fail."""


def save(study: Study, folder: str | os.PathLike[str]) -> Study:
    """Write ``index.html``, ``results.json``, ``runs.csv`` and ``curves.csv``.

    Args:
        study: what is written.
        folder: where to; it is made if need be.

    Returns:
        The study with the paths in ``files``, the page first.

    Raises:
        ValueError: the folder cannot be made or written.
    """
    place = writable(folder)
    for name, text in FILES.items():
        write(place / name, text(study))
    return replace(study, files=tuple(str(place / name) for name in reversed(FILES)))
