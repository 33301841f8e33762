"""Findings: what a diagnosis says, and the scores that it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Diagnosis:
    """Findings in plain sentences, the most important first, and the held-out scores they rest on.

    Attributes:
        findings: (kind, sentence); kinds are optimum, solver, separated, constant, scaling, precision, collinear,
            intercept, interactions, loss, limit, noise, tried.
        scores: of the same rows held out, by the model's variant: accuracy, or R² for a regressor.
        every: comparisons use each ``every``-th row. Rows are named by their number, or by the index of a data frame.
    """

    findings: list[tuple[str, str]] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    every: int = 1

    def add(self, kind: str, sentence: str) -> None:
        """Note a finding."""
        self.findings.append((kind, sentence))

    def kinds(self) -> set[str]:
        """The kinds of finding there are."""
        return {kind for kind, _ in self.findings}

    def __str__(self) -> str:
        return "\n".join(f"- {sentence}" for _, sentence in self.findings)
