"""State keeping: an optimizer's chains, the specs of its parameters, and the state that chains declare for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gradwright.core import Chain, Number, ParamSpec, Slot
from gradwright.engine import eager
from gradwright.optimizer import groups
from gradwright.optimizer.pointers import Settled
from gradwright.recipe.registry import spec_named
from gradwright.recipe.spec import RecipeSpec


class StatefulOptimizer(torch.optim.Optimizer):
    """What an optimizer remembers of its parameters; it steps nothing."""

    def ready_states(
        self, index: int, group: dict[str, Any], chain: Chain, params: list[Tensor]
    ) -> tuple[list[dict[str, Any]], list[int]]:
        """The states of these parameters, on their device and in their type, and where the parameters lie.

        Parameters seldom move, so what was looked at once is trusted for as long as pointers stay the same: then the
        answers are the same lists.
        """
        everyone: dict[int, Settled] = self.__dict__.setdefault("_settled", {})
        known = everyone.get(index)
        if known is None or not known.still(params, self.state):
            for param in params:
                self.settle_in(param, group, chain)
            known = everyone[index] = Settled(params, [self.state[param] for param in params], len(self.state))
        if chain.evaluates and any("training_weights" in state for state in known.states):
            raise RuntimeError("the evaluation weights are in place; call optimizer.train() before stepping")
        return known.states, known.places

    def spec_of(self, param: Tensor) -> ParamSpec:
        """Shape, type, roles and name of one of this optimizer's parameters."""
        specs = self.__dict__.setdefault("_specs", {})
        spec = specs.get(param)
        if spec is None or spec.dtype != groups.real_dtype(param):
            count = 0
            for group in self.param_groups:
                specs.update(zip(group["params"], groups.specs(group, count)))
                count += len(group["params"])
        return specs[param]

    def slots_for(self, group: dict[str, Any]) -> Callable[[Tensor], dict[str, Slot | Number]]:
        """What this optimizer keeps for each parameter of a group with these hyper-parameters."""
        chain = self.recipe_spec_of(group).chain(group)
        return lambda param: chain.slots(self.spec_of(param))

    def new_slot(self, param: Tensor, slot: Slot) -> Tensor:
        """A fresh state tensor for a parameter, at its starting value."""
        spec = self.spec_of(param)
        dtype = slot.dtype_for(spec)
        if dtype == torch.float64 and slot.shared and param.device.type == "mps":
            dtype = torch.float32
        start = 0.0 if slot.start == "param" else slot.start
        if slot.full_size:
            return torch.full_like(
                eager.as_real(param.detach()), start, dtype=dtype, memory_format=torch.preserve_format
            )
        return torch.full(slot.shape_for(spec), start, dtype=dtype, device=param.device)

    def recipe_spec_of(self, group: dict[str, Any]) -> RecipeSpec:
        name = group.get("recipe", getattr(self, "defaults", {}).get("recipe"))
        if name is None:
            raise ValueError('a param group of Optimizer names its recipe: {"params": [...], "recipe": "AdamW"}')
        return spec_named(name)

    def chain_of(self, group: dict[str, Any]) -> Chain:
        """The group's chain for its present hyper-parameters, with state for whatever it declares."""
        recipe_spec = self.recipe_spec_of(group)
        knobs = recipe_spec.knobs(group)
        chains = self.__dict__.setdefault("_chains", {})
        key, chain = chains.get(id(group), (None, None))
        if key != (recipe_spec, knobs):
            old, chain = chain, recipe_spec.chain(group)
            chains[id(group)] = (recipe_spec, knobs), chain
            if old is None or old.structure() != chain.structure():
                for param in group["params"]:
                    self._forget(param, old, chain)
                    self.settle_in(param, group, chain)
        return chain

    def _forget(self, param: Tensor, old: Chain | None, new: Chain) -> None:
        """Drop the state that only the chain before declared."""
        spec = self.spec_of(param)
        for key in () if old is None else old.slots(spec).keys() - new.slots(spec).keys():
            self.state[param].pop(key, None)

    def settle_in(self, param: Tensor, group: dict[str, Any], chain: Chain) -> None:
        """Make sure that the parameter's state is there, on its device and in its type."""
        state = self.state[param]
        state.setdefault("step", 0.0)
        for key, slot in chain.slots(self.spec_of(param)).items():
            value = state.get(key)
            if isinstance(slot, Number):
                if value is None:
                    state[key] = slot.start
                continue
            if value is not None and self._fits(value, param, slot):
                continue
            if value is None and slot.shared:
                value = next((other[key] for other in self.state.values() if key in other), None)
                if value is not None:
                    state[key] = value
                    continue
            if slot.shared and value is not None:
                continue
            fresh = self.new_slot(param, slot)
            if value is not None and value.device.type != "meta":
                fresh.copy_(value)
            state[key] = fresh

    def _fits(self, value: Tensor, param: Tensor, slot: Slot) -> bool:
        """Whether a slot is where its parameter is, of the right type, and laid out alike."""
        if value.device != param.device or value.dtype != slot.dtype_for(self.spec_of(param)):
            return False
        alike = torch.empty_like(eager.as_real(param.detach()), device="meta")
        return not slot.full_size or value.shape != alike.shape or value.stride() == alike.stride()
