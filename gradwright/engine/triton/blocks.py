"""Blocks: how a kernel walks over its chunk, whole blocks first and the rest under a mask.

In a loop ``p + b + i`` are the entries of a block. Where neighbours share a scale, ``g`` are the scales of its groups;
then a group begins at every multiple of 32 in a chunk, because chunks are counted as if the lines of groups were full.
"""

from __future__ import annotations


def columns(grouped: bool) -> list[str]:
    """The columns of a tile, and which of them there are."""
    if not grouped:
        return ["j = left + tl.arange(0, WIDTH)", "inside = j < columns"]
    return [
        "across = columns // line * filled",
        "q = left + tl.arange(0, WIDTH)",
        "j = q // filled * line + q % filled",
        "inside = (q < across) & (q % filled < line)",
    ]


def loop(matrix: bool, grouped: bool, masked: bool) -> list[str]:
    """The head of a loop over the blocks of a chunk."""
    return _over_tile(grouped, masked) if matrix else _over_chunk(grouped, masked)


def _over_chunk(grouped: bool, masked: bool) -> list[str]:
    lines = [
        "i = tl.arange(0, BLOCK)" + ".to(tl.int64)" * grouped,
        f"for b in range({'turn, end' if masked else 'begin, turn'}, BLOCK):",
    ]
    if grouped:
        lines.append("    g = b // GROUP + tl.arange(0, BLOCK // GROUP)")
    if grouped and masked:
        lines += [
            "    q = b + tl.arange(0, BLOCK)",
            "    i = q // filled * line + q % filled - b",
            "    m = (q < end) & (q % filled < line)",
            "    m_g = g < end // GROUP",
        ]
    elif masked:
        lines.append("    m = b + i < end")
    return lines


def _over_tile(grouped: bool, masked: bool) -> list[str]:
    across = "(j - left)" if grouped and masked else "tl.arange(0, WIDTH)"
    lines = [
        # the same number, but one that the compiler can see to be a multiple
        f"stride = {'columns' if masked else 'columns // 16 * 16'}",
        f"i = tl.arange(0, HEIGHT)[:, None] * stride + {across}[None, :]",
        f"for r in range({'turn, bottom' if masked else 'top, turn'}, HEIGHT):",
        "    b = r * stride + left",
        "    y = r + tl.arange(0, HEIGHT)",
    ]
    if grouped:
        lines += [
            "    k = tl.arange(0, HEIGHT * WIDTH // GROUP)",
            "    h = left // GROUP + k % (WIDTH // GROUP)",
            "    g = (r + k // (WIDTH // GROUP)) * (across // GROUP) + h",
        ]
    if grouped and masked:
        lines.append("    m_g = (r + k // (WIDTH // GROUP) < bottom) & (h < across // GROUP)")
    if masked:
        lines.append("    m = (y < bottom)[:, None] & inside[None, :]")
    return lines
