"""The mathematical functions of kernels are files of C++ that come with the package."""

import subprocess
from importlib.resources import files

import pytest

from gradwright.engine import ops
from gradwright.native import build, maths

PRECISIONS = pytest.mark.parametrize("single", [True, False], ids=["single", "double"])


def defined(source):
    """The functions that a source defines, in order."""
    lines = [line for line in source.splitlines() if line.startswith("static inline")]
    return [line.split("(")[0].split()[-1].rstrip("_") for line in lines]


@PRECISIONS
def test_a_function_comes_with_what_it_calls_and_nothing_else(single):
    first = ["fma"] if single else []
    assert maths.math_source(set(), single) == ""
    assert maths.math_source({"add", "sqrt"}, single) == ""
    assert defined(maths.math_source({"log1p", "add"}, single)) == [*first, "log", "log1p"]
    assert defined(maths.math_source({"sigmoid"}, single)) == [*first, "exp", "sigmoid"]
    assert defined(maths.math_source(set(maths.ORDER), single)) == [*first, *maths.ORDER]


@PRECISIONS
def test_every_file_is_a_function_that_is_printed(single):
    folder = files("gradwright.native").joinpath("single" if single else "double")
    found = {file.name.removesuffix(".h") for file in folder.iterdir() if file.name.endswith(".h")}
    assert found - {"fma"} == set(maths.ORDER)
    assert all(ops.OPERATIONS[op].cpp.startswith(f"{op}_(") for op in maths.ORDER)


@PRECISIONS
@pytest.mark.parametrize("op", maths.ORDER)
def test_a_function_is_whole_without_a_complaint(op, single, compiler, tmp_path):
    source = tmp_path / "function.cpp"
    source.write_text(maths.math_source({op}, single))
    flags = ("-Wall", "-Wextra", "-Wno-unused-function", "-Wno-builtin-declaration-mismatch", "-Werror")
    done = subprocess.run(
        [compiler[0], *build.FLAGS, *flags, "-fsyntax-only", str(source)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
