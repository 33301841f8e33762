"""What the tests of linear models share."""

import pytest

from gradwright.linear_model.data import compiled


@pytest.fixture(autouse=True)
def kernels_at_once(monkeypatch):
    """Every pass waits for its kernel, so that no test depends on what has been compiled before."""
    monkeypatch.setattr(compiled, "SMALL", 0)
