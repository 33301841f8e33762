"""A picture of one byte a cell, as PNG: a browser stretches it over any number of pixels."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

Colour = tuple[int, int, int, int]
"""Red, green, blue and opacity, from 0 to 255."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(rows: Sequence[bytes], palette: Sequence[Colour]) -> bytes:
    """The picture whose cell is the number of its colour (PNG, second edition: colour type 3 with opacity).

    Args:
        rows: of equal length, at least one byte each.
        palette: at most 256 colours.
    """
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 3, 0, 0, 0)
    colours = b"".join(bytes(colour[:3]) for colour in palette)
    opacities = bytes(colour[3] for colour in palette)
    cells = zlib.compress(b"".join(b"\x00" + row for row in rows), 9)
    chunks = ((b"IHDR", header), (b"PLTE", colours), (b"tRNS", opacities), (b"IDAT", cells), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(*each) for each in chunks)


def data_uri(picture: bytes) -> str:
    """The picture as an address that holds all of it."""
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
