"""Optimizer: the only stateful class. It holds param groups and state, and knows no formula."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.parameter import is_lazy

from gradwright.engine import select
from gradwright.optimizer import checkpoint, describe, evaluation, foreign, from_torch, groups, ranks, saved
from gradwright.optimizer.skipping import checked_flag
from gradwright.optimizer.stepping import Stepping


class Optimizer(Stepping):
    """A ``torch.optim.Optimizer`` whose every group runs a recipe.

    Use a recipe's own class (``gradwright.AdamW(model.parameters())``) or :func:`gradwright.route` for several recipes
    in one optimizer. Given directly, each group names its recipe: ``{"params": [...], "recipe": "Lion", "lr": 1e-4}``.

    A group is the dictionary of its hyper-parameters: assign ``group["lr"]``, or let any
    ``torch.optim.lr_scheduler`` do it; nothing recompiles. ``group["role"]`` (one string for all, such as
    ``"embedding"``) tells what the tensors are where a recipe asks. A sparse gradient, as that of
    ``nn.Embedding(sparse=True)``, steps the rows that it touches and leaves the others at rest, decay included, where
    the recipe has the trait ``rows``. Each row has an age of its own in ``state["row_step"]``, and a step reads and
    writes what the touched rows hold. Parameters of lazy modules are taken before they have a shape; whether the recipe
    can serve them shows at their first step.

    Args:
        params: tensors, (name, tensor) pairs, or param groups.
        defaults: hyper-parameters of groups that do not set them.
        state, weights: how they are held; see :class:`~gradwright.core.policy.Policy` and docs/memory.md. Keys of a
            group too, where what is kept is converted if they change during a run.
        engine: how steps are executed: ``"auto"`` (the fastest there is for each tensor's device), ``"eager"``,
            ``"cpp"`` (tensors on the CPU) or ``"triton"`` (on a GPU). Of distributed tensors (FSDP2, tensor
            parallelism) each rank's kernels run on its own part; see docs/distributed.md.
        skip_nonfinite: do not take a step in which an entry of any gradient is infinite or NaN, or the loss where the
            recipe uses it: weights, state, step counts, decay and random numbers stay, and ``optimizer.skipped``
            counts it. All ranks of a sharded model decide alike. It costs one pass over the gradients. On a GPU the
            host does not wait for it: it learns of it when the next step begins, and entries ``"step"`` of the state
            are by one too high until then. Schedulers of torch go on, as with a ``GradScaler``.

    Raises:
        ValueError: nothing to optimize, a tensor twice, a hyper-parameter out of range, a tensor that the recipe
            cannot serve; each says which and what to do.
    """

    plan: Any = None

    def __init__(
        self,
        params: Any,
        defaults: dict[str, Any] | None = None,
        *,
        state: str | None = None,
        weights: str | None = None,
        engine: str = "auto",
        skip_nonfinite: bool = False,
    ) -> None:
        self.engine, self.skip_nonfinite = select.checked(engine), checked_flag(skip_nonfinite)
        given = groups.as_groups(params, type(self).__name__)
        defaults = groups.routed_defaults(given) if defaults is None else defaults
        super().__init__(given, {**defaults, **groups.formats(state, weights)})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group; checks all of it before anything changes."""
        self.catch_up()
        group = groups.listed(dict(param_group))
        recipe_spec = self.recipe_spec_of(group)
        clock = self.param_groups[0]["clock"] if self.param_groups else group.get("clock", 0)
        groups.complete(group, recipe_spec, self.defaults, clock)
        groups.refuse_unusable(
            group, recipe_spec.chain(group), (p for other in self.param_groups for p in other["params"])
        )
        ranks.refuse_unlike(recipe_spec, group)
        param_group.update(group)
        super().add_param_group(param_group)
        self.chain_of(param_group)
        foreign.watch_scale(self, param_group)

    @torch._disable_dynamo
    def state_dict(self) -> dict[str, Any]:
        """What :meth:`load_state_dict` takes. State of parameters that are in no group any more is dropped, and
        parameters that others put in their place begin."""
        if self.window is not None:
            self.window.refuse_half_a_step("state_dict()")
        self.catch_up()
        for group in self.param_groups:
            chain = self.chain_of(group)
            for param in group["params"]:
                if param.requires_grad and param not in self.state and not is_lazy(param):
                    self.settle_in(param, group, chain)
        self.drop_strangers()
        found = super().state_dict()
        return {**found, "state": {index: dict(entries) for index, entries in found["state"].items()}}

    @torch._disable_dynamo
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what ``state_dict`` returned; the continued run is bitwise the same.

        A checkpoint of the ``torch.optim`` optimizer of the same name is read too, and the run goes on from there.

        Whether evaluation weights are in place is taken from the checkpoint, as it was when that was saved. Parameters
        that hold them now, and for which it has none, get their training weights back, unless others have been loaded
        into them since :meth:`eval`.

        Everything is checked first: if it does not fit, the optimizer stays as it was.

        Raises:
            ValueError: it does not fit, or holds what no step could use; names the group or the parameter, the key and
                the value.
        """
        self.catch_up()
        state_dict = dict(saved.refuse_no_dict(state_dict))
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            state_dict = hook(self, state_dict) or state_dict
        state, new_groups = checkpoint.restored(self, from_torch.translated(self.param_groups, saved.read(state_dict)))
        evaluation.end_for(self, state)
        for group, new_group in zip(self.param_groups, new_groups):
            group.clear()
            group.update(new_group)
        self.__dict__.pop("_agreed", None)
        self.state.clear()
        self.state.update({param: self.tracked(entries) for param, entries in state.items()})
        for post_hook in self._optimizer_load_state_dict_post_hooks.values():
            post_hook(self)

    def explain(self, source: bool = False) -> str:
        """What a step runs: for each group its equations, kernels, bytes moved, and what is plain torch and why.

        Args:
            source: append the printed kernels.
        """
        return describe.explanation(self, source)

    def __getstate__(self) -> dict[str, Any]:
        own = {"engine": self.engine, "plan": self.plan, "skip_nonfinite": self.skip_nonfinite}
        return {**super().__getstate__(), **own, "_skipped": self.skipped}

    def __repr__(self) -> str:
        return describe.summary(self)
