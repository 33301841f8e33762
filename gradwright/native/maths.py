"""Functions of C++ kernels that the compiler cannot vectorise from the system's library.

In single precision (``single/*.h``) they are polynomials that take the same way for every entry, so that a loop over
entries becomes vector code and the last entries of a tensor round as all others do. The polynomials are fitted to a
relative error near 1e-8; with the rounding of their evaluation the results are within 1 to 3 units in the last place,
special values included; only softplus is zero where it is below 1e-38. In double precision (``double/*.h``) the
system's own functions are called.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

ORDER = ("exp", "log", "log1p", "sigmoid", "softplus", "atan2")
"""The functions, each behind those that it calls."""
NEEDS = {"log1p": ("log",), "sigmoid": ("exp",)}
"""What each function calls."""


def math_source(ops: set[str], single: bool) -> str:
    """The definitions of those of ``ops`` that have one, and of what they need."""
    wanted = {*ops, *(needed for op in ops for needed in NEEDS.get(op, ()))}
    found = [op for op in ORDER if op in wanted]
    if found and single:
        # one rounding instead of two where the machine has it in hardware: shorter chains, on which the speed depends
        found = ["fma", *found]
    return "".join(_text("single" if single else "double", op) for op in found)


@cache
def _text(precision: str, op: str) -> str:
    return files("gradwright.native").joinpath(f"{precision}/{op}.h").read_text(encoding="utf-8")
