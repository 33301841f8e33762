"""Optimizer: the only stateful class. It holds param groups and state, and knows no formula."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from gradwright.engine import Dispatcher, GroupStep, capturing, run, select
from gradwright.engine.collective import LOCAL, Collective, mean_loss
from gradwright.engine.step import StepCoroutine, store_shared
from gradwright.optimizer import checkpoint, describe, evaluation, foreign, from_torch, groups, lost_steps, ranks, saved
from gradwright.optimizer.evaluation import Evaluating
from gradwright.optimizer.loss import detached
from gradwright.optimizer.release_window import ReleaseWindow, ending
from gradwright.optimizer.scaling import scaled_backward
from gradwright.optimizer.skipping import Provisional, checked_flag


class Optimizer(Evaluating):
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

    engine: str = "auto"
    plan: Any = None
    window: ReleaseWindow | None = None

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

    def step(  # type: ignore[override]
        self,
        closure: Callable[[], Any] | None = None,
        *,
        loss: Tensor | float | None = None,
        scaler: torch.amp.GradScaler | None = None,
        on_unscaled: Callable[[], Any] | None = None,
    ) -> Any:
        """Take one step.

        Args:
            closure: clears gradients, computes the loss, calls ``backward`` and returns the loss. With ``scaler`` it
                only computes and returns the loss.
            loss: the loss of this step, for recipes that use it, where no closure is given. Where parameters are
                distributed tensors, its mean over their ranks is used.
            scaler: a ``GradScaler``: scales the closure's loss, calls backward, unscales, skips the step where a
                gradient is not finite, and updates its scale.
            on_unscaled: called between unscaling and stepping; the place to clip gradients.

        Returns:
            What the closure returned.

        Raises:
            ValueError: the recipe needs the loss and none was given, or a gradient is sparse and the recipe cannot step
                rows apart. Nothing has changed.
            TypeError: the loss is given twice, or ``on_unscaled`` without ``scaler``.
            RuntimeError: the evaluation weights are in place.
        """
        if closure is not None and loss is not None:
            raise TypeError("step(closure, loss=...) names the loss twice; give the closure or the loss")
        if scaler is None and on_unscaled is not None:
            raise TypeError("step(on_unscaled=...) needs scaler=; without one, clip after backward in your closure")
        if scaler is not None:
            return scaled_backward(self, closure, scaler, on_unscaled)
        value = None
        if closure is not None:
            with torch.enable_grad():
                value = closure()
        self._advance(value if loss is None else loss)
        return value

    @torch._disable_dynamo
    @torch.no_grad()
    def _advance(self, loss: Any) -> None:
        with ending(self.window):
            self.catch_up()
            good = self.verdict(loss if self._uses_loss() else None)
            if good is False:
                return
            self._take(loss, good=good if isinstance(good, Tensor) else None)
            if not capturing():
                self._tick()
        lost_steps.tell(self)

    def _take(self, loss: Any, collective: Collective = LOCAL, good: Tensor | None = None) -> None:
        """Let all that have a gradient move, of which a window of gradient release may leave some out.

        Args:
            loss: of this step.
            collective: how sums over all parameters are made.
            good: on a device, whether they may; ``None`` if so.
        """
        try:
            steps, coroutines = self._begun(loss, good)
        except KeyError:  # somebody removed a number from the state, which no look at tensors can tell
            self.__dict__["_memory"] = {}
            steps, coroutines = self._begun(loss, good)
        if good is not None:
            self._provisional = Provisional(good, steps)
        for key, value in run(coroutines, collective).items():
            for state in self.state.values():
                if key in state:
                    store_shared(state[key], value, good)
                    break
        if self.window is None or self.window.gathering is None:
            lost_steps.look(self, steps)
        for step in steps:
            step.memory.let_go()

    def _begun(self, loss: Any, good: Tensor | None) -> tuple[list[GroupStep], list[StepCoroutine]]:
        """Each group's part of the step, and what runs it; nothing has run yet."""
        steps = list(self._steps(loss, good))
        engine, dispatcher = select.asked(self.engine), self._dispatcher()
        coroutines = [one for index, step in steps for one in dispatcher.coroutines(index, step, engine)]
        return [step for _, step in steps], coroutines

    def _dispatcher(self) -> Dispatcher:
        return self.__dict__.setdefault("_dispatch", Dispatcher())

    def _tick(self) -> None:
        for group in self.param_groups:
            group["clock"] += 1

    @torch._disable_dynamo
    @torch.no_grad()
    def before_replay(self) -> None:
        """Call this before each replay of a CUDA graph in which :meth:`step` was captured.

        A graph repeats kernels, not Python. This does the rest of the step: it counts, and brings step counts, learning
        rates and all other hyper-parameters to where the captured kernels read them.

            for _ in range(3): ...                   # on a side stream, as torch's notes on CUDA graphs say
            with torch.cuda.graph(graph):
                loss = model(x).mean(); loss.backward(); optimizer.step()
            for batch in batches:
                x.copy_(batch); scheduler.step(); optimizer.before_replay(); graph.replay()

        The optimizer must outlive the graph. A loss that the recipe needs must be a tensor on the GPU.

        Raises:
            RuntimeError: the step to come is not the one that was captured.
        """
        for index, step in self._steps(0.0):
            self._dispatcher().refresh(index, step, select.asked(self.engine))
            step.memory.let_go()
        self._tick()

    def _uses_loss(self) -> bool:
        return any("loss" in self.chain_of(group).all_needs for group in self.param_groups)

    def _steps(self, loss: Any, good: Tensor | None = None) -> Iterator[tuple[Hashable, GroupStep]]:
        """Each group's part of the step, everything about it checked."""
        chains = [self.chain_of(group) for group in self.param_groups]
        ranks.agree(self, chains)
        loss = detached(loss) if self._uses_loss() else None
        if loss is not None:
            loss = mean_loss(loss, (param for group in self.param_groups for param in group["params"]))
        self.look_at_state()
        for index, (group, chain) in enumerate(zip(self.param_groups, chains)):
            if "loss" in chain.all_needs and loss is None:
                raise ValueError(
                    f"{group['recipe']} needs the loss: call step(loss=loss), or step(closure) with a closure that "
                    "returns it (with a GradScaler: scaler.step(optimizer, loss=loss))"
                )
            memory = self.memory_of(index, group, chain)
            turn, present = index, memory.present
            if self.window is not None:
                turn, chain, present = self.window.share(index, chain, memory)
            if not memory.params or (present is not None and not len(present)):
                memory.let_go()
                continue
            yield (
                turn,
                GroupStep(
                    memory.params,
                    memory.states,
                    present,
                    chain,
                    self.spec_of,
                    group["clock"] + 1.0,
                    loss,
                    group["maximize"],
                    memory,
                    good,
                ),
            )
        self.remember_state()

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
