"""Stepping: what an optimizer does in one step, from the closure to the counts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from gradwright.engine import Dispatcher, GroupStep, capturing, run, select
from gradwright.engine.collective import LOCAL, Collective, mean_loss
from gradwright.engine.step import StepCoroutine, store_shared
from gradwright.optimizer import lost_steps, ranks
from gradwright.optimizer.evaluation import Evaluating
from gradwright.optimizer.loss import detached
from gradwright.optimizer.release_window import ReleaseWindow, ending
from gradwright.optimizer.scaling import scaled_backward
from gradwright.optimizer.second_look import TwoPasses, second_look_of
from gradwright.optimizer.skipping import Provisional


class Stepping(Evaluating):
    """What moves the parameters of an optimizer."""

    engine: str = "auto"
    window: ReleaseWindow | None = None

    def step(  # type: ignore[override]
        self,
        closure: Callable[[], Any] | None = None,
        *,
        loss: Tensor | float | None = None,
        scaler: torch.amp.GradScaler | None = None,
        on_unscaled: Callable[[], Any] | None = None,
        model: torch.nn.Module | None = None,
        first_pass: Callable[[], AbstractContextManager[Any]] | None = None,
    ) -> Any:
        """Take one step.

        Args:
            closure: clears gradients, computes the loss, calls ``backward`` and returns the loss. With ``scaler`` it
                only computes and returns the loss. Recipes that look twice (:mod:`gradwright.sharpness`) call it a
                second time at perturbed weights, with the same random numbers.
            loss: the loss of this step, for recipes that use it, where no closure is given. Where parameters are
                distributed tensors, its mean over their ranks is used.
            scaler: a ``GradScaler``: scales the closure's loss, calls backward, unscales, skips the step where a
                gradient is not finite, and updates its scale.
            on_unscaled: called between unscaling and stepping; the place to clip gradients.
            model: for recipes that look twice: the module whose running statistics the second evaluation leaves as
                they are. Needed for compiled ones; of others all layers that are called are found.
            first_pass: for recipes that look twice: within what the first evaluation runs, such as ``model.no_sync``
                of DDP, by which each rank looks where its own gradient leads.

        Returns:
            What the closure returned, at the weights.

        Raises:
            ValueError: the recipe needs the loss, or a closure, and none was given, or a gradient is sparse and the
                recipe cannot step rows apart. Nothing has changed.
            TypeError: the loss is given twice, or an argument without the one that it belongs to.
            RuntimeError: the evaluation weights are in place.
        """
        if closure is not None and loss is not None:
            raise TypeError("step(closure, loss=...) names the loss twice; give the closure or the loss")
        if scaler is None and on_unscaled is not None:
            raise TypeError("step(on_unscaled=...) needs scaler=; without one, clip after backward in your closure")
        passes = self._passes(closure, model, first_pass)
        if scaler is not None:
            return scaled_backward(self, closure, scaler, on_unscaled, passes)
        value = None
        if closure is not None:
            with torch.enable_grad():
                value = closure() if passes is None else passes.evaluate(closure)
        if passes is not None:
            passes.combine()
        self._advance(value if loss is None else loss, passes)
        return value

    @torch._disable_dynamo
    @torch.no_grad()
    def _passes(self, closure: Any, model: Any, first_pass: Any) -> TwoPasses | None:
        """What looks twice, where a recipe does."""
        self.catch_up()
        twice = [group["recipe"] for group in self.param_groups if second_look_of(self.chain_of(group)) is not None]
        if twice and closure is None:
            raise ValueError(
                f"{twice[0]} looks twice: call step(closure) with a closure that clears gradients, computes the loss, "
                "calls backward and returns the loss; with a GradScaler step(closure, scaler=scaler), whose closure "
                "returns the loss alone"
            )
        if not twice and (model is not None or first_pass is not None):
            raise TypeError("step(model=..., first_pass=...) are for recipes that look twice, and none here does")
        if twice and self.window is not None and (self.window.attached or self.window.is_open):
            raise RuntimeError(
                f"release: {twice[0]} looks twice in a step, and weights would move by the first gradients; leave "
                "release out"
            )
        return TwoPasses(self, model, first_pass) if twice else None

    @torch._disable_dynamo
    @torch.no_grad()
    def _advance(self, loss: Any, passes: TwoPasses | None = None) -> None:
        with ending(self.window):
            self.catch_up()
            good = self.verdict(loss if self._uses_loss() else None)
            if good is False:
                return
            self._take(loss, good=good if isinstance(good, Tensor) else None, passes=passes)
            if not capturing():
                self._tick()
        lost_steps.tell(self)

    def _take(
        self,
        loss: Any,
        collective: Collective = LOCAL,
        good: Tensor | None = None,
        passes: TwoPasses | None = None,
    ) -> None:
        """Let all that have a gradient move, of which a window of gradient release may leave some out.

        Args:
            loss: of this step.
            collective: how sums over all parameters are made.
            good: on a device, whether they may; ``None`` if so.
            passes: what recipes that look twice have to remember.
        """
        try:
            steps, coroutines = self._begun(loss, good)
        except KeyError:  # somebody removed a number from the state, which no look at tensors can tell
            self.__dict__["_memory"] = {}
            steps, coroutines = self._begun(loss, good)
        if good is not None:
            self._provisional = Provisional(good, steps)
        if passes is not None:
            passes.keep(good)
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
            turn, present, draw = index, memory.present, 0
            if self.window is not None:
                turn, chain, present, draw = self.window.share(index, chain, memory)
            if not memory.params or (present is not None and not len(present)):
                memory.let_go()
                continue
            clock, maximize, spec_of = group["clock"] + 1.0, group["maximize"], self.spec_of
            step = GroupStep(
                memory.params, memory.states, present, chain, spec_of, clock, loss, maximize, memory, good, draw
            )
            yield turn, step
        self.remember_state()
