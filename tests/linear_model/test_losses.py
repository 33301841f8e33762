"""The register of losses, and their C++ as it is printed and shipped."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from gradwright.linear_model import GeneralizedLinearModel, losses
from gradwright.linear_model.data import RowLoss, compiled, kernels
from gradwright.linear_model.data.gram_kernel import SOURCE
from gradwright.linear_model.data.program import program


def test_every_loss_enters_itself():
    kinds = [*losses.Loss.__subclasses__(), *losses.Nonsmooth.__subclasses__()]
    assert {kind.name: kind for kind in kinds if kind.__module__.startswith("gradwright")} == losses.LOSSES
    for kind in losses.Loss.__subclasses__():
        assert kind.header().count("static inline void second(") == 1


def test_a_loss_is_made_by_its_name():
    settings = GeneralizedLinearModel(power=1.7, delta=2.0, epsilon=0.3)
    assert losses.named("tweedie", settings) == losses.Tweedie(1.7)
    assert losses.named("epsilon_insensitive", settings) == losses.EpsilonInsensitive(0.3)
    assert losses.named("huber", settings).abc() == (2.0, 0.0, 0.0)


def test_a_new_loss_is_one_class(compiler, monkeypatch):
    monkeypatch.setattr(losses.loss, "LOSSES", {})

    @losses.register("log_cosh")
    @dataclass(frozen=True)
    class LogCosh(losses.Loss):
        """width² log cosh(r / width) with r = z − y."""

        width: float
        cpp: ClassVar[str] = """
            A t = std::fabs(z - y) / width, e = exp_(A(-2) * t), v = (A(1) - e) / (A(1) + e);
            l = width * width * (t + log1p_(e) - A(0.6931471805599453)); g = z > y ? width * v : -width * v;
            h = A(1) - v * v;"""

        def point(self, z, y, u=None):
            t = (z - y) / self.width
            value = self.width**2 * (np.logaddexp(t, -t) - np.log(2.0))
            return value, self.width * np.tanh(t), 1.0 - np.tanh(t) ** 2

    rng = np.random.default_rng(0)
    X, y, W, b = rng.normal(size=(150, 4)), rng.normal(size=150), rng.normal(size=(4, 1)), np.ones(1)
    answers = []
    for mode in ("plain", "compiled"):
        Z, G, gb = np.zeros((150, 1)), np.zeros((4, 1)), np.zeros(1)
        with compiled.using(mode):
            total = kernels.rows_pass(kernels.EVALUATE, X, RowLoss(LogCosh(0.7), y), W, b, Z, None, G, gb)
        answers.append(np.concatenate([[total], G.ravel(), gb]))
    np.testing.assert_allclose(*answers, rtol=1e-12)


def test_headers_are_placed_once_and_their_files_are_shipped():
    text = program(SOURCE.with_name("dense.cpp"), types="using T = float;\nusing A = double;\n", loss="// the loss\n")
    assert text.count("struct Data") == text.count("using T = float;") == text.count("// the loss\n") == 1
    assert '#include "' not in text
    with pytest.raises(FileNotFoundError, match=r"types\.h"):
        program(SOURCE)
