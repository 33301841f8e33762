"""Hugging Face's Trainer, or any subclass of it, with a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from gradwright.integrations.losses import give_loss, needs_loss
from gradwright.integrations.transformers.callback import EvaluationWeights, own, show
from gradwright.integrations.transformers.settings import AnyRecipe, Choice, planned
from gradwright.optimizer.recipe import Bound, Recipe
from gradwright.recipes import AdamW


class RecipeMixin:
    """What to put before a ``Trainer`` so that it takes a recipe: ``class SFT(RecipeMixin, trl.SFTTrainer): ...``.

    ::

        trainer = Trainer(model, args, train_dataset=..., recipe=gradwright.Surefoot)
        trainer = Trainer(model, args, train_dataset=..., recipe=gradwright.presets.muon)
        trainer = Trainer(model, args, train_dataset=..., recipe={
            "matrix & !embedding & !head": gradwright.Muon.bind(lr=0.02), "*": gradwright.AdamW.bind(lr=3e-4)})

    * ``learning_rate`` and ``weight_decay`` of ``TrainingArguments`` count where they are given, which is where they
      are not the default of the class, for each recipe that was not bound with its own; else the recipe's own defaults
      do. A recipe that finds its step sizes (its default lr is 1) or serves matrices alone (Muon) takes no
      ``learning_rate``. What nobody takes is refused.
    * ``optim_target_modules`` names the linear layers whose weights are for ``recipe``; all else is for ``rest``.
    * Recipes that need the loss get the one whose gradient the step is of: over gradient accumulation and all ranks.
    * Checkpoints, ``save_model`` and what training leaves in the model are evaluation weights, see
      :class:`EvaluationWeights`.

    Without ``recipe``, and given ``optimizers=``, the last two hold for that optimizer.

    Args:
        recipe: a recipe, with or without hyper-parameters; its name; rules, as for :func:`gradwright.route`; or a
            function that is given the model and returns the optimizer.
        rest: the recipe for parameters that ``recipe`` cannot serve.
        no_decay: what does not decay, as for :func:`gradwright.plan`.
        args, kwargs: of the ``Trainer``.

    Raises:
        TypeError: ``recipe`` is none of these, or makes no optimizer.
        ValueError: a setting would be ignored; says which and the way out.
    """

    accelerator: Any
    args: Any
    model: Any
    optimizer: Any
    optimizer_cls_and_kwargs: Any

    def __init__(
        self,
        *args: Any,
        recipe: Choice | None = None,
        rest: AnyRecipe = AdamW,
        no_decay: bool | str | None = True,
        **kwargs: Any,
    ) -> None:
        self._recipe, self._rest, self._no_decay = _checked(recipe), rest, no_decay
        self._loss: Tensor | None = None
        self._step_is_over = True
        self._told: Any = None
        super().__init__(*args, **kwargs)
        others = {"optimizers": self.optimizer, "optimizer_cls_and_kwargs": self.optimizer_cls_and_kwargs}
        for name, given in others.items():
            if recipe is not None and given is not None:
                raise ValueError(f"recipe= and {name}= both say what to train with; give one of them")
        self.add_callback(EvaluationWeights())  # type: ignore[attr-defined]

    def create_optimizer(self, *args: Any) -> torch.optim.Optimizer:
        """The optimizer of ``recipe``, or the Trainer's own; made once, and told its loss."""
        if self.optimizer is None and self._recipe is not None:
            self.optimizer = self._made(args[0] if args and args[0] is not None else self.model)
        optimizer = super().create_optimizer(*args)  # type: ignore[misc]
        found = own(optimizer)
        if found is not None and self._told is not found:
            give_loss(found, self._known)
            self._told = found
        return optimizer

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        """One backward pass, whose loss is remembered for the optimizer's step."""
        loss = super().training_step(*args, **kwargs)  # type: ignore[misc]
        before = None if self._step_is_over else self._loss
        self._loss = loss.detach() if before is None else before + loss.detach()
        self._step_is_over = self.accelerator.sync_gradients
        return loss

    def save_model(self, *args: Any, **kwargs: Any) -> None:
        """The Trainer's, with evaluation weights in place."""
        show(self.optimizer)
        super().save_model(*args, **kwargs)  # type: ignore[misc]

    def _made(self, model: nn.Module) -> torch.optim.Optimizer:
        recipe = self._recipe
        if not callable(recipe) or isinstance(recipe, (type, Bound)):
            return planned(model, recipe, self._rest, self._no_decay, self.args).optimizer()
        optimizer = recipe(model)
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise TypeError(f"recipe={recipe!r} returned a {type(optimizer).__name__} where an optimizer is needed")
        return optimizer

    def _known(self) -> Tensor | None:
        if self._loss is None or not needs_loss(self._told) or self.accelerator.num_processes == 1:
            return self._loss
        return self.accelerator.reduce(self._loss, reduction="mean")


class Trainer(RecipeMixin, transformers.Trainer):
    """``transformers.Trainer`` with a recipe; see :class:`RecipeMixin` for what it takes and does."""


def _checked(recipe: Any) -> Any:
    """What was given as a recipe, if it can be one.

    Raises:
        TypeError: it cannot.
    """
    if isinstance(recipe, type) and not (issubclass(recipe, Recipe) and recipe.recipe_name):
        raise TypeError(
            f"recipe={recipe.__name__} is a class, but no recipe; give one of gradwright's, or a function of the model"
        )
    if isinstance(recipe, torch.optim.Optimizer):
        raise TypeError("recipe= is an optimizer that holds its parameters already; give it as optimizers=(it, None)")
    if recipe is not None and not isinstance(recipe, (str, Mapping, Bound)) and not callable(recipe):
        raise TypeError(f"recipe={recipe!r}: give a recipe, its name, rules, or a function of the model")
    return recipe
