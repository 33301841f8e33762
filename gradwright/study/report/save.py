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

    :func:`from_json` and :func:`from_csv` read them; in the tables a label that a spreadsheet would run as a formula
    has an apostrophe in front.

    Args:
        study: what is written.
        folder: where to; it is made if need be.

    Returns:
        The study with the paths in ``files``, the page first.

    Raises:
        ValueError: the folder cannot be made or written, or the disk is full. A file that cannot be written stays as
            it was.
    """
    place = writable(folder, FILES)
    for name, text in FILES.items():
        content = text(study).encode("utf-8", "backslashreplace")  # the words of an error may be no text
        try:
            write(place / name, content)
        except OSError as error:
            raise ValueError(
                f"{str(place / name)!r} could not be written ({error.strerror or error}), and is as it was before: "
                f"make room or name another folder, then save(study, folder)"
            ) from error
    return replace(study, files=tuple(str(place / name) for name in reversed(FILES)))
