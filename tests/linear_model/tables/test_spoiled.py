"""Spoiled: a file with a few bytes changed is a table, or an error in one line of our own; never anything else."""

import gzip
from traceback import extract_tb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradwright.linear_model.fit_table.table import read
from tests.linear_model.tables.made import HEADER, file, lines

pytest.importorskip("pandas")

PLAIN = "\n".join([HEADER, *lines(12)]).encode()
FILES = [PLAIN, PLAIN.replace(b",", b";"), PLAIN.decode().encode("utf-16"), gzip.compress(PLAIN, mtime=0)]
PIECES = [
    b",", b";", b"\t", b'"', b'""', b"\n", b"\r", b" ", b"\0", b"\xff", b"\xef\xbb\xbf", b"1.000,5", b"1,5", b"NA",
    b"inf", b"-", b"x" * 2000, b"1e999", b"True", b"\\", b"\x1a", b"\xc2\xa0", b"",
]  # fmt: skip
CHANGE = st.tuples(st.floats(0, 1), st.integers(0, 3), st.sampled_from(PIECES))


def refusal_of(path, target):
    """The error of reading a file, or None."""
    try:
        table = read(path, target)
    except ValueError as refusal:
        return refusal
    assert table.X.shape == (len(table.y), len(table.names))
    return None


def spoil_and_read(folder, content, changes, target):
    for place, length, piece in changes:
        start = int(place * len(content))
        content = content[:start] + piece + content[start + length :]
    refusal = refusal_of(file(folder, content), target)
    if refusal is not None:
        assert "\n" not in str(refusal)
        assert len(str(refusal)) < 700
        assert "fit_table" in extract_tb(refusal.__traceback__)[-1].filename


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(FILES), st.lists(CHANGE, min_size=1, max_size=4), st.sampled_from(["kind", "price"]))
def test_a_spoiled_file(tmp_path_factory, content, changes, target):
    spoil_and_read(tmp_path_factory.getbasetemp(), content, changes, target)


@pytest.mark.slow
@settings(max_examples=3000, deadline=None)
@given(st.sampled_from(FILES), st.lists(CHANGE, min_size=1, max_size=4), st.sampled_from(["kind", "price"]))
def test_many_spoiled_files(tmp_path_factory, content, changes, target):
    spoil_and_read(tmp_path_factory.getbasetemp(), content, changes, target)
