"""What an optimizer tells of its steps comes from the trace that the engines run."""

import torch

import gradwright
from gradwright.core import ParamSpec
from gradwright.describe import explanation
from gradwright.engine.graph.explain import explain


def test_adamw_reads_as_in_a_textbook():
    text = explain(gradwright.AdamW.chain(), ParamSpec((4, 3))).equations
    assert text == (
        "m' = β₁ m + (1 − β₁) g",
        "v' = β₂ v + (1 − β₂) g²",
        "p' = p − η (m' / (1 − β₁ᵗ) / (ε + √v' / √(1 − β₂ᵗ)) + λ p)",
    )


def test_latex_of_lion():
    text = explain(gradwright.Lion.chain(), ParamSpec((4, 3)), latex=True).equations
    assert text[0] == r"m' = \beta_2 \, m + (1 - \beta_2) \, g"
    assert r"\operatorname{sign}" in text[1]


def test_an_optimizer_tells_its_kernels_and_what_they_move():
    model = torch.nn.Sequential(torch.nn.Linear(8, 6), torch.nn.Linear(6, 2))
    text = gradwright.AdamW(model.parameters(), engine="cpp").explain(source=True)
    assert "AdamW, engine cpp" in text
    assert "p' = p − η" in text
    assert "1 sweep, 28 bytes per number" in text
    assert "#pragma omp parallel" in text
    routed = gradwright.build("Muon", model).explain()
    assert "then orthogonalize as plain torch" in routed


def test_what_runs_on_plain_torch_is_told_with_the_reason():
    kernel = torch.nn.Conv2d(3, 4, 3).weight
    text = gradwright.Adafactor([kernel]).explain()
    assert "plain torch" in text
    assert "keeps dimensions" in text


def test_every_recipe_can_be_explained():
    for name in ("AdamW", "Adafactor", "Tiger", "ScheduleFreeAdamW", "AdaLo", "Muon"):
        text = explanation(name)
        assert f"{name}\n" in text
        assert "p' = p −" in text
