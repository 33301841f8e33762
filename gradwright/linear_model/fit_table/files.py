"""Files: what a file is by its first bytes, and its text, unpacked and decoded, with the line named that is unfit."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from gradwright.linear_model.fit_table.text import quoted

MAGIC = {
    b"PAR1": "parquet",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
    b"\xd0\xcf\x11\xe0": "office",
}
"""How files of a kind begin."""
NOT_TABLES = {
    "zip": "a zip archive or an Excel workbook; unpack it, or save the sheet as CSV",
    "office": "an Excel workbook; save the sheet as CSV",
}
ENCODINGS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
"""Byte order marks of what is not UTF-8; the longer ones first."""


def kind_of(path: Path) -> str:
    """'parquet', the name of a compression, or 'text'.

    Raises:
        ValueError: there is no such file, it cannot be read, it is empty, or it is no table.
    """
    # a name that is too long, or holds a NUL, is that of no file
    if not os.path.exists(path):
        raise ValueError(f"there is no file {quoted(path, 200)}")
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a folder; give a CSV or Parquet file")
    if not path.is_file():
        raise ValueError(f"{str(path)!r} is a device or a pipe, and a table is read more than once; give a file")
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as why:
        raise ValueError(f"{str(path)!r} cannot be read: {why.strerror}") from None
    kind = next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), "text")
    if kind in NOT_TABLES:
        raise ValueError(f"{path.name} is {NOT_TABLES[kind]}")
    if kind == "text" and path.suffix.lower() in (".parquet", ".pq"):
        raise ValueError(
            f"{path.name} cannot be read as Parquet: it does not begin as such files do; give a Parquet file, or end "
            "the name in .csv where it is CSV"
        )
    return kind


@contextmanager
def text(path: Path, kind: str) -> Iterator[TextIO]:
    """The file as text with its line ends as they are.

    Raises:
        ValueError: what is packed is damaged, or its text is not UTF-8, or UTF-16 with a byte order mark.
    """
    try:
        with _bytes(path, kind) as file:
            start = file.peek(4)[:4]
            encoding = next((name for mark, name in ENCODINGS.items() if start.startswith(mark)), "utf-8-sig")
            with io.TextIOWrapper(file, encoding=encoding, newline="") as lines:
                yield lines
    except UnicodeDecodeError as why:
        if encoding != "utf-8-sig":
            raise ValueError(f"{path.name} is not {encoding.upper()} text all through; save it in UTF-8") from None
        raise ValueError(
            f"{path.name} is not UTF-8 text: {_where(path, kind)} holds the byte {why.object[why.start]:#04x}; save it "
            "as CSV in UTF-8"
        ) from None
    except (EOFError, lzma.LZMAError, zlib.error, OSError) as why:
        if kind == "text":
            raise ValueError(f"{str(path)!r} cannot be read: {getattr(why, 'strerror', None) or why}") from None
        raise ValueError(f"{path.name} cannot be unpacked ({kind}): {why}; is it whole?") from None


def _bytes(path: Path, kind: str) -> io.BufferedReader:
    if kind == "zstd":
        return io.BufferedReader(_zstd(path))
    opener: dict[str, Any] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
    return io.BufferedReader(opener[kind](path, "rb")) if kind in opener else path.open("rb")


def _zstd(path: Path) -> Any:
    """By what there is: Python 3.14, zstandard, pyarrow."""
    try:
        from compression import zstd  # type: ignore[import-not-found]

        return zstd.open(path, "rb")
    except ImportError:
        pass
    try:
        import zstandard

        return zstandard.open(path, "rb")
    except ImportError:
        pass
    try:
        import pyarrow

        return _Raw(pyarrow.input_stream(str(path), compression="zstd"))
    except (ImportError, NotImplementedError):
        raise ValueError(f"{path.name} is packed with zstd: pip install zstandard, or unpack it") from None


class _Raw(io.RawIOBase):
    """A stream of pyarrow as a raw file: pyarrow's own has no ``peek``."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there is something."""
        data = self.stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close both."""
        self.stream.close()
        super().close()


def _where(path: Path, kind: str) -> str:
    """The first line that is not UTF-8."""
    with _bytes(path, kind) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8-sig")
            except UnicodeDecodeError:
                return f"line {number}"
    return "the file"
