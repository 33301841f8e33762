"""The decay derived from Amos: closed forms, the recursion they stand for, and the first step."""

import math

import pytest

from gradwright.schedules import AmosDecay, amos_settings

T = 10_000


def recursion(alpha, p, t):
    s = 0.0
    for _ in range(t):
        s += alpha * p * math.exp(-s)
    return math.exp(-2 * s)


def test_worked_numbers():
    square, inverse, exact = (AmosDecay(T, law) for law in ("inverse_square", "inverse_time", "recursion"))
    assert square.speed(1e-3) == pytest.approx(0.0414213562, abs=5e-11)
    assert inverse.speed(1e-3) == pytest.approx(0.05, rel=1e-14)
    assert square(2 * T) == pytest.approx(0.2991194745, abs=5e-11)
    assert inverse(2 * T) == pytest.approx(1 / 3, rel=1e-15)
    assert exact(T) == pytest.approx(0.4999949245, abs=5e-11)


@pytest.mark.parametrize("law", ["inverse_time", "inverse_square", "recursion"])
@pytest.mark.parametrize("half_life", [50, 3000])
def test_the_half_life_halves(law, half_life):
    decay = AmosDecay(half_life, law)
    assert decay(0) == 1
    assert decay(half_life) == pytest.approx(0.5, rel=1 / half_life)


@pytest.mark.parametrize("t", [0, 1, 2, 1023, 1024, 1025, 5000])
def test_the_recursion_is_the_recursion_in_whatever_order_it_is_asked(t):
    decay = AmosDecay(777, "recursion")
    assert decay(t) == pytest.approx(recursion(1e-3, decay.speed(1e-3), t), rel=1e-13)


def test_the_closed_forms_solve_their_equations():
    """dS/dt = c exp(−S) for a constant speed, and c exp(−2 S) for one that falls with S."""
    for law, power in (("inverse_square", 1), ("inverse_time", 2)):
        decay, c, h = AmosDecay(100, law), AmosDecay(100, law).speed(1.0), 1e-3
        for t in (1.0, 40.0, 700.0):
            slope = -0.5 * (math.log(decay(t + h)) - math.log(decay(t - h))) / (2 * h)
            assert slope == pytest.approx(c * decay(t) ** (power / 2), rel=1e-6)


def test_settings_of_a_sign_method():
    """BERT-base: standard deviation √(1/768)."""
    lr, decay = amos_settings(1.11e-3, math.sqrt(1 / 768))
    assert lr == pytest.approx(4.0053675e-5, rel=1e-8)
    assert decay == pytest.approx(0.0153806112, rel=1e-8)


def test_decay_and_step_are_in_balance_whatever_the_direction():
    """lr λ = α₀² / (2 q)."""
    for rms in (1.0, 0.2):
        lr, decay = amos_settings(2e-3, 0.03, q=0.5, update_rms=rms)
        assert lr * decay == pytest.approx(2e-3**2, rel=1e-14)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: AmosDecay(0), "half_life=0"),
        (lambda: AmosDecay(10, "linear"), "law='linear'"),
        (lambda: amos_settings(0, 1), "alpha=0"),
        (lambda: amos_settings(1e-3, math.nan), "sigma=nan"),
    ],
)
def test_impossible_settings_are_refused_by_name(build, words):
    with pytest.raises(ValueError, match=words):
        build()
