"""The table: one row for each loss and each form of it. An exception names a check and says why it cannot hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from gradwright.losses import LOSSES, Entry, SoftMedian

Target = Literal["index", "soft", "multihot", "shares", "labels", "joint", "probabilities"]

EMBEDDINGS = torch.randn(5, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


@dataclass(frozen=True)
class Row:
    """A loss in one of its forms.

    Args:
        name: of the loss in ``LOSSES``.
        target: the kind of target it is given.
        settings: what makes the form; ``embeddings`` stands for a random matrix.
        exceptions: checks that this form cannot meet, by name, each with the reason. ``trait:...`` for a trait.
    """

    name: str
    target: Target = "index"
    settings: Mapping[str, Any] = field(default_factory=dict)
    exceptions: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return "-".join([self.name, self.target, *(f"{key}={value}" for key, value in self.settings.items())])

    @property
    def entry(self) -> Entry:
        return LOSSES[self.name]

    def logits(self, n: int = 5, c: int = 4, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
        z = torch.randn(*self.shape(n, c), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        if self.target == "probabilities":
            z = torch.sigmoid(z)
        return z.to(dtype)

    def shape(self, n: int, c: int) -> tuple[int, ...]:
        return (n, 3, c) if self.target == "joint" else (n, c)

    def targets(self, n: int = 5, c: int = 4, seed: int = 1) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        if self.target == "index":
            return torch.randint(c, (n,), generator=generator)
        if self.target == "joint":
            return torch.randint(c, (n, 3), generator=generator)
        if self.target == "soft":
            return torch.rand(n, c, generator=generator, dtype=torch.float64).softmax(-1)
        if self.target == "shares":
            return torch.rand(n, c, generator=generator, dtype=torch.float64)
        if self.target == "labels":
            labels = torch.randint(c, (n, 2), generator=generator)
            return torch.where(torch.rand(n, 2, generator=generator) < 0.3, -100, labels)
        return (torch.rand(n, c, generator=generator) < 0.4).double()

    def call(self, logits: Tensor, target: Tensor, **more: Any) -> Tensor:
        if "embeddings" in self.settings:
            more["embeddings"] = EMBEDDINGS[: logits.shape[more.get("dim", -1)]]
        return self.plain(logits, target, **more)

    def plain(self, logits: Tensor, target: Tensor, **more: Any) -> Tensor:
        """The loss with these settings besides its own; embeddings, if it takes any, are among them."""
        settings = {**self.settings, **more}
        if target.is_floating_point() and target.dtype == torch.float64:
            target = target.to(torch.promote_types(logits.dtype, torch.float32))
        if self.name == "soft_f1":
            settings.pop("reduction", None)
        function: Callable[..., Tensor] = self.entry.function
        return function(logits, target, **settings)


ROWS = (
    Row("cross_entropy"),
    Row("cross_entropy", "soft"),
    Row("cross_entropy", settings={"label_smoothing": 0.1}),
    Row("cross_entropy", settings={"reduction": SoftMedian(0.3)}),
    Row("normalized_cross_entropy"),
    Row("normalized_cross_entropy", "soft"),
    Row("tailr"),
    Row("tailr", "soft"),
    Row(
        "tailr",
        settings={"gamma": 0.8, "floor": 0.2},
        exceptions={"trait:sceptical": "floor", "trait:bounded": "floor"},
    ),
    Row("tailr", settings={"gamma": 1.0}),
    Row("tailr", settings={"gamma": 1e-7, "label_smoothing": 0.1}, exceptions={"trait:bounded": "smoothing is not"}),
    Row(
        "tailr",
        settings={"gamma": 0.5, "form": "weighted"},
        exceptions={
            "gradient_is_right": "its weight is held constant, so its gradient is that of another value, by design",
            "second_gradient_is_right": "as its gradient",
        },
    ),
    Row("focal"),
    Row("focal", "soft", {"focus": 1.5}),
    Row("focal", settings={"focus": 0.5, "label_smoothing": 0.1}),
    Row("sigmoid_focal", "multihot"),
    Row("sigmoid_focal", "shares", {"alpha": None, "focus": 1.0}),
    Row("poly1"),
    Row("poly1", "soft", {"eps": -0.5}),
    Row("poly1", settings={"eps": 2.0, "focus": 2.0}),
    Row("gce"),
    Row("gce", "soft", {"q": 0.3}),
    Row("gce", settings={"cut": 0.1}),
    Row("sce"),
    Row("sce", "soft"),
    Row("logit_norm"),
    Row("logit_norm", "soft", {"temperature": 1.0, "center": True}),
    Row("emo", settings={"embeddings": True}),
    Row("emo", "soft", {"embeddings": True}),
    Row("soft_accuracy"),
    Row("soft_accuracy", "soft", {"temperature": 0.5}),
    Row("pairwise_sigmoid"),
    Row("pairwise_cubic", settings={"temperature": 10.0}),
    Row("pairwise_mixture"),
    Row("top_margin"),
    Row("top_margin", settings={"sharpness": 5.0}, exceptions={"trait:symmetric": "only at sharpness 1"}),
    Row("exact"),
    Row("exact", "soft"),
    Row("exact", settings={"sigma": 0.5, "margin": 0.7}, exceptions={"trait:symmetric": "margin"}),
    Row("exact", settings={"standardize": True}),
    Row("exact", settings={"form": "log"}, exceptions=dict.fromkeys(("trait:bounded", "trait:symmetric"), "ln P")),
    Row("soft_f1", "probabilities"),
    Row("soft_f1", "probabilities", {"average": "macro", "beta": 2.0}),
    Row("multilabel_cross_entropy", "multihot"),
    Row("multilabel_cross_entropy", "shares", {"threshold": 0.5, "margin": 0.2}),
    Row("sparse_multilabel_cross_entropy", "labels"),
    Row("joint_cross_entropy", "joint"),
    Row("joint_cross_entropy", "joint", {"form": "L3"}),
)
