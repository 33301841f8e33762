"""Reading: an odd file is a table with what was done said, or refused by its line with the way out; never a guess."""

import bz2
import gzip
import lzma
from decimal import Decimal

import numpy as np
import pytest

from gradwright.linear_model.fit_table.table import read
from tests.linear_model.tables.made import HEADER, file, fit, lines

pandas = pytest.importorskip("pandas")
ROWS = lines()
PLAIN = "\n".join([HEADER, *ROWS])


def table(folder, content, target="kind", name="data.csv"):
    return read(file(folder, content, name), target)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (["size,price", *ROWS], "line 2 has 3 fields and the header 2"),
        (["size,price,kind,more", *ROWS], "line 2 has 3 fields and the header 4"),
        ([HEADER, *ROWS, "1,2"], "line 42 has 2 fields and the header 3"),
        ([HEADER, *ROWS, '"Ulm, Bonn",2,yes', "Ulm, Bonn,2,yes"], "line 43 has 4 fields.*quote fields with a comma"),
        (["size,size,kind", *ROWS], "names the column 'size' twice, in fields 1 and 2"),
        (["size,,kind", *ROWS], "field 2 of the header of data.csv is empty"),
        ([HEADER, *ROWS, '1,2,"yes'], "the quote \" that opens in line 42 or later is not closed"),
        ([HEADER, *ROWS, '1,"2"3,yes'], 'line 42 holds a quote " inside a field'),
        ([HEADER, *ROWS, "1,2,y\0s"], "NUL byte in line 42"),
        (PLAIN.encode("utf-16-le"), "NUL byte in line 1: it is UTF-16"),
        ((PLAIN + "\n1,2,nö").encode("latin-1"), "line 42 holds the byte 0xf6; save it as CSV in UTF-8"),
        (PLAIN.encode("utf-16")[:-1], "not UTF-16 text all through"),
        (PLAIN.replace(",", " "), "'size price kind'.*separated by a comma"),
        (PLAIN.replace(",", ":"), "'size:price:kind'.*separated by a comma"),
        ('{"size": 1, "kind": "a"}\n' * 9, "looks like JSON and is no table"),
        ("<table>\n<td>size, price</td>\n", "looks like HTML or XML"),
        ("", "it is empty"),
        ("\n \n\n", "it is empty"),
        (HEADER, "a header and no rows"),
        ("kind\nyes\nno\n", "no column beside the target 'kind'"),
        ([HEADER, *[",,"] * 20], r"missing values in 'size' \(20 of 20 rows\), first in line 2, 'price'"),
        ([HEADER, *ROWS, "", "NA,1,yes"], r"missing values in 'size' \(1 of 41 rows\), first in line 43"),
        ([HEADER, *ROWS, "?,1,yes"], "missing values in 'size'"),
        ([HEADER, *["NA,1,yes"] * 9], "missing values in 'size' .9 of 9"),
        ([HEADER, *ROWS, "1,broken,yes"], "'price' holds numbers in 98% of the rows.*1, the first 'broken' in line 42"),
        ([HEADER, *ROWS, '1,"1,5",yes'], "other texts in 1, the first '1,5' in line 42"),
        (gzip.compress(PLAIN.encode(), mtime=0)[:40] + bytes(40), "cannot be unpacked .gzip.*is it whole"),
        ([HEADER, *ROWS, "1,1e999,yes"], "'price' holds infinite values, or .* beyond 1e308, the first in line 42"),
        ([HEADER, *(f"{i}%,1,yes" for i in range(40))], "'size' has 40 different texts.*numbers with a sign"),
        ([HEADER, *(f"name {i},1,yes" for i in range(40))], "'size' has 40 different texts.*so many for 40 rows"),
        ([HEADER, *ROWS, "x" * 200_000 + ",1,yes"], "line 42 holds a field of more than 131,072 characters"),
        ([HEADER, *ROWS, "x" * 100_000 + ",1,yes"], "'size' holds a text of 100,000 characters in line 42"),
        (["a,a=q,kind", *(f"{'pq'[i % 2]},{i},yes" for i in range(40))], "category 'q' of column 'a' and column 'a=q'"),
        (["a,a=b,kind", *("b=c,c,yes", "a,a,no") * 9], "category 'c' of column 'a=b' would both be named 'a=b=c'"),
        (b"PK\x03\x04" + b"a" * 50, "a zip archive or an Excel workbook"),
        (gzip.compress(PLAIN.encode(), mtime=0)[:100], "cannot be unpacked .gzip.*is it whole"),
        (b"\x1f\x8b" + b"no gzip" * 9, "cannot be unpacked .gzip.*is it whole"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_by_its_line(tmp_path, content, words):
    with pytest.raises(ValueError, match=words) as refusal:
        table(tmp_path, content)
    assert len(str(refusal.value)) < 600


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        "\ufeff" + PLAIN,
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-32"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace("\n", "\n\n") + "\n \n",
        PLAIN.replace(",", " , "),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", ";"),
        "sep=|\n" + PLAIN.replace(",", "|"),
        PLAIN.replace(HEADER, '"size","price","kind"'),
        gzip.compress(PLAIN.encode(), mtime=0),
        bz2.compress(PLAIN.encode("utf-16")),
        lzma.compress(PLAIN.encode()),
    ],
    ids=str.split("plain bom utf-16 utf-32 crlf cr blank-lines spaces tabs semicolons sep quoted gzip bzip2 xz"),
)
def test_the_same_table_however_it_is_written(tmp_path, content):
    found = table(tmp_path, content)
    assert found.names == ["size", "price"]
    np.testing.assert_array_equal(found.X, [[float(v) for v in line.split(",")[:2]] for line in ROWS])
    assert found.y.tolist() == [line.split(",")[2] for line in ROWS]


def test_zstandard_by_whatever_can_read_it(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    packed = pyarrow.compress(PLAIN.encode(), "zstd", asbytes=True)
    np.testing.assert_array_equal(table(tmp_path, packed, name="data.csv.zst").X, table(tmp_path, PLAIN).X)
    with pytest.raises(ValueError, match=r"cannot be unpacked .zstd.*is it whole"):
        table(tmp_path, packed[:200])


def test_a_quoted_line_end_does_not_shift_lines(tmp_path):
    content = ['"the\nsize",price,kind', '1,2,"ye\ns"', *ROWS, "inf,1,yes"]
    with pytest.raises(ValueError, match=r"column 'the size' holds infinite values.*line 45"):
        table(tmp_path, content)
    found = table(tmp_path, content[:-1])
    assert found.names == ["the size", "price"]
    assert found.X[0].tolist() == [1.0, 2.0]


def test_a_column_without_a_name_is_left_out_only_where_it_tells_nothing(tmp_path):
    numbered = table(tmp_path, ["," + HEADER, *(f"{i},{row}" for i, row in enumerate(ROWS))])
    assert numbered.names == ["size", "price"]
    assert numbered.notes == ["field 1 has no name and numbers the rows; it is left out"]
    trailing = table(tmp_path, [HEADER + ",", *(row + "," for row in ROWS)])
    assert trailing.notes == ["field 4 has no name and is empty; it is left out"]


def test_a_class_that_reads_na_is_a_class(tmp_path):
    for label in ("NA", "None", "null", "nan"):
        found = table(tmp_path, [HEADER, *lines(yes=label)])
        assert set(found.y.tolist()) == {label, "no"}
        assert found.notes == [f"column 'kind': '{label}' is taken for a class, not for a missing value"]
    towns = table(tmp_path, ["town," + HEADER, *(f"{'NA' if i % 2 else 'Ulm'},{row}" for i, row in enumerate(ROWS))])
    assert towns.names[0] == "town=Ulm"
    assert "is taken for a category" in towns.notes[0]


def test_classes_that_are_too_long_or_infinite_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"'kind' holds a text of 100,000 characters in line 42, which is no class"):
        fit(file(tmp_path, [HEADER, *ROWS, "1,2," + "x" * 100_000]))


def test_texts_that_begin_alike_are_two_categories(tmp_path):
    town = ["x" * 80 + "a", "x" * 80 + "b", "Ulm"]
    found = table(tmp_path, ["town," + HEADER, *(f"{town[i % 3]},{row}" for i, row in enumerate(ROWS))])
    assert len(set(found.names)) == 4
    assert max(map(len, found.names)) < 80


def test_a_target_may_be_given_with_blanks(tmp_path):
    assert table(tmp_path, PLAIN, target=" kind ").names == ["size", "price"]


@pytest.mark.parametrize(
    ("content", "call"),
    [
        (PLAIN, 'pandas.read_csv("new.csv")'),
        (PLAIN.replace(",", ";"), "pandas.read_csv(\"new.csv\", sep=';')"),
        (PLAIN.replace(",", " | "), 'pandas.read_csv("new.csv", sep=r"\\s*\\|\\s*", engine="python")'),
        (PLAIN.encode("utf-16"), "pandas.read_csv(\"new.csv\", encoding='utf-16')"),
        ("sep=;\n" + PLAIN.replace(",", ";"), "pandas.read_csv(\"new.csv\", sep=';', skiprows=1)"),
        (PLAIN.replace("yes", "NA"), 'pandas.read_csv("new.csv", keep_default_na=False)'),
        (
            PLAIN.replace(",", ";").replace(".", ","),
            'pandas.read_csv("new.csv", sep=\';\', decimal=",", thousands=".")',
        ),
    ],
)
def test_pandas_reads_the_same_by_the_call_that_the_page_shows(tmp_path, content, call):
    found = table(tmp_path, content)
    assert found.call == call
    frame = eval(call.replace("new.csv", str(tmp_path / "data.csv")), {"pandas": pandas})
    np.testing.assert_array_equal(frame[["size", "price"]].to_numpy(), found.X)
    assert frame["kind"].tolist() == found.y.tolist()


# European and other numbers


def column(folder, texts, *, other="0.5", separator=";"):
    rows = [separator.join((text, other, "yes" if i % 2 else "no")) for i, text in enumerate(texts)]
    return table(folder, [separator.join(("price", "other", "kind")), *rows])


def test_european_numbers_are_numbers_and_it_is_said(tmp_path):
    found = column(tmp_path, [f"{i % 9 + 1}.{i * 7 % 1000:03d},{i % 100:02d}" for i in range(90)], other="1")
    np.testing.assert_allclose(found.X[:, 0], [1000 * (i % 9 + 1) + i * 7 % 1000 + i % 100 / 100 for i in range(90)])
    assert found.notes == ["column 'price': decimal comma: '1.000,00' is read as 1000"]
    assert found.call.endswith('decimal=",", thousands=".")')


def test_what_is_a_thousand_is_told_by_the_rest_of_the_file(tmp_path):
    assert column(tmp_path, ["1.002", "950"] * 9, other="0,5").X[:2, 0].tolist() == [1002.0, 950.0]
    assert column(tmp_path, ["1.002", "950"] * 9, other="0.5").X[:2, 0].tolist() == [1.002, 950.0]
    assert column(tmp_path, ["1,002", "950"] * 9, other="0.5").X[:2, 0].tolist() == [1002.0, 950.0]
    assert column(tmp_path, ["1,002", "950"] * 9, other="0,5").X[:2, 0].tolist() == [1.002, 950.0]
    assert column(tmp_path, ["1 002", "950"] * 9, other="5").X[0, 0] == 1002.0
    with pytest.raises(
        ValueError, match=r"'price' holds numbers as '1,002', which is 1.002 with a decimal comma and 1002"
    ):
        column(tmp_path, ["1,002", "950"] * 9, other="5")
    with pytest.raises(ValueError, match=r"does not tell which"):
        table(tmp_path, ["a;b;c;kind", *["1,002;0,5;0.5;yes", "1,003;0,5;0.5;no"] * 9])


# sizes


@pytest.mark.parametrize("value", ["1e200", "-1e300"])
def test_huge_numbers_are_named_as_such(tmp_path, value):
    with pytest.raises(ValueError, match=r"column 'price' reaches -?1e\+\d00 in line 42, so that its square overflows"):
        fit(file(tmp_path, [HEADER, *ROWS, f"1,{value},yes"]))
    with pytest.raises(ValueError, match=r"column 'price' reaches .* in line 42, so that its square overflows"):
        fit(file(tmp_path, [HEADER, *ROWS, f"1,{value},yes"]), "price")


def test_tiny_numbers_are_named_as_such(tmp_path):
    rows = [row.split(",") for row in ROWS]
    with pytest.raises(ValueError, match=r"column 'size' reaches .*e-200 in line .* its square vanishes"):
        fit(file(tmp_path, [HEADER, *(f"{a}e-200,{b},{c}" for a, b, c in rows)]))


def test_a_small_spread_far_from_zero_is_not_taken_for_none(tmp_path):
    rows = [f"{1e9 + i * 3e-7:.7f},0,{'yes' if i >= 20 else 'no'}" for i in range(40)]
    fitted, _ = fit(file(tmp_path, [HEADER, *rows]), C=100.0)
    assert fitted.score >= 0.9


# Parquet


def parquet(folder, columns, **more):
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table(columns), folder / "data.parquet", **more)
    return folder / "data.parquet"


def test_columns_of_parquet_by_their_types(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    path = parquet(
        tmp_path,
        {
            "price": [Decimal("1.50"), Decimal("-2.25")] * 9,
            "town": pyarrow.array(["Ulm", "Bonn"] * 9).dictionary_encode(),
            "old": [True, False] * 9,
            "half": pyarrow.array(np.array([0.5, 1.5] * 9, np.float16)),
            "kind": ["NA", "no"] * 9,
        },
    )
    found = read(path, "kind")
    assert found.names == ["price", "town=Ulm", "old", "half"]
    np.testing.assert_array_equal(found.X[:2], [[1.5, 1, 1, 0.5], [-2.25, 0, 0, 1.5]])
    assert found.y[:2].tolist() == ["NA", "no"]
    with pytest.raises(ValueError, match=r"'more' holds values of type list"):
        read(parquet(tmp_path, {"more": [[1], [2]], "kind": ["a", "b"]}), "kind")
    with pytest.raises(ValueError, match=r"missing values in 'more' \(1 of 3 rows\), first in row 2"):
        read(parquet(tmp_path, {"more": [1, None, 2], "kind": ["a", "b", "b"]}), "kind")
    large = read(parquet(tmp_path, {"more": np.array([2**63 + 4096, 5], np.uint64), "kind": ["a", "b"]}), "kind")
    assert large.X[:, 0].tolist() == [2.0**63 + 4096, 5.0]
    with pytest.raises(ValueError, match=r"field 1 of the header of data.parquet is empty"):
        read(parquet(tmp_path, {"": [0.5, 0.25], "kind": ["a", "b"]}), "kind")
    content = path.read_bytes()
    with pytest.raises(ValueError, match=r"cannot be read as Parquet"):
        read(file(tmp_path, content[:-20], "cut.parquet"), "kind")


def test_an_index_of_pandas_is_a_column_where_it_has_a_name(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"size": np.arange(9.0), "kind": list("ababababa")})
    frame.sample(9, random_state=0).to_parquet(tmp_path / "unnamed.parquet")
    found = read(tmp_path / "unnamed.parquet", "kind")
    assert found.names == ["size"]
    assert "is left out" in found.notes[0]
    frame.set_index("size").to_parquet(tmp_path / "named.parquet")
    assert read(tmp_path / "named.parquet", "kind").names == ["size"]


def test_parquet_is_known_by_its_content(tmp_path):
    pytest.importorskip("pyarrow")
    pandas.DataFrame({"size": [1.0, 2.0], "kind": ["a", "b"]}).to_parquet(tmp_path / "data.csv")
    assert read(tmp_path / "data.csv", "kind").names == ["size"]
