"""Made: small files that are a table, to spoil in tests."""

from pathlib import Path

import numpy as np

from gradwright.linear_model.fit_table import fit_table

HEADER = "size,price,kind"


def lines(n: int = 40, separator: str = ",", yes: str = "yes", no: str = "no") -> list[str]:
    """Rows of size, price and kind; few, so that no other models are tried."""
    rng = np.random.default_rng(0)
    size, price = rng.normal(size=n), rng.normal(size=n)
    kind = np.where(size + price > 0, yes, no)
    return [separator.join((f"{a:.4f}", f"{b:.2f}", c)) for a, b, c in zip(size, price, kind)]


def numbers(n: int = 40) -> str:
    """A file of size, town and count, a target for each loss of numbers."""
    rng = np.random.default_rng(1)
    size = rng.normal(size=n)
    count = 1 + rng.poisson(np.exp(0.5 + 0.5 * size))
    return "\n".join(
        ["size,town,count", *(f"{a:.3f},{'Ulm' if i % 3 else 'Bonn'},{c}" for i, (a, c) in enumerate(zip(size, count)))]
    )


def file(folder: Path, content: str | bytes | list[str], name: str = "data.csv") -> Path:
    """A file with this content."""
    if isinstance(content, list):
        content = "\n".join(content) + "\n"
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / name


def fit(path: Path, target: str = "kind", **settings):
    """A fit of it beside the file, and what it said."""
    said: list[str] = []
    settings.setdefault("out", path.parent / "out")
    return fit_table(path, target, say=said.append, **settings), "\n".join(said)
