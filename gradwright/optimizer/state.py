"""State keeping: an optimizer's chains, the specs of its parameters, and the state that chains declare for them."""

from __future__ import annotations

import enum
from collections.abc import Callable
from operator import is_
from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from gradwright.core import Chain, HostScalar, ParamSpec, Slot
from gradwright.core.spec import WEIGHTS
from gradwright.core.transform import Slots
from gradwright.engine.collective import is_spread
from gradwright.engine.rows import begin_tables, slots_beside
from gradwright.optimizer import groups
from gradwright.optimizer.arrays import (
    arrays_of,
    convert_weights,
    encoded,
    fits,
    names_of,
    new_arrays,
    refuse_spread,
    tell_of_change,
    values_of,
)
from gradwright.optimizer.pointers import PointerCache, StateTable, has_memory, room
from gradwright.optimizer.refusals import refuse_empty, refuse_sparse, refuse_state, refuse_weights, warn_of_late
from gradwright.optimizer.tracked import Changes, TrackedState
from gradwright.recipe.registry import spec_named
from gradwright.recipe.spec import RecipeSpec


class Readiness(enum.Enum):
    """How a parameter stands before a step."""

    AWAY = enum.auto()
    """It takes no part."""
    UNSETTLED = enum.auto()
    """Some of its state is missing, or is not where and how it must be."""
    SETTLED = enum.auto()


class StatefulOptimizer(torch.optim.Optimizer):
    """What an optimizer remembers of its parameters; it steps nothing.

    State is there from construction for parameters that require a gradient, so that all ranks of a distributed run
    have the same keys; for others, and for those that had no shape yet, from their first gradient on.
    """

    def memory_of(self, index: int, group: dict[str, Any], chain: Chain) -> PointerCache:
        """Where the parameters and the state of a group lie at this step, their gradients included.

        What was looked at once is looked at again at every step; the answer is the same object for as long as kernels
        may go on with what they know of it.

        Raises:
            RuntimeError: state or a gradient does not fit its parameter; nothing has changed.
        """
        caches: dict[Any, tuple[PointerCache, list[Tensor], list[Tensor]]] = self.__dict__.setdefault("_memory", {})
        place = index, torch.is_inference_mode_enabled()
        found = caches.get(place)
        params = group["params"]
        if found is None or not _same(params, found[1]) or not found[0].still() or _wakes(found[2]):
            caches.pop(place, None)  # it has seen what moved, and would take it for known if the rest is refused
            held: list[Tensor] = []
            rest: list[Tensor] = []
            unsettled: list[Tensor] = []
            for param in params:  # all are looked at before any is touched
                ready = self._takes_part(param, group, chain)
                (rest if ready is Readiness.AWAY else held).append(param)
                if ready is Readiness.UNSETTLED:
                    unsettled.append(param)
            for param in unsettled:
                self.settle_in(param, group, chain)
            states = [self.state[param] for param in held]
            keys = [self._tensor_slots(param, chain, first=at == 0) for at, param in enumerate(held)]
            found = caches[place] = PointerCache(held, states, keys), list(params), rest
            self.__dict__["_table"] = None
            self.drop_strangers()
        memory = found[0]
        if chain.evaluates and any("training_weights" in state for state in memory.states):
            raise RuntimeError("the evaluation weights are in place; call optimizer.train() before stepping")
        memory.look_at_gradients(lambda param, grad: self._refuse_gradient(group, param, grad))
        if begin_tables(memory, chain, self.spec_of):
            caches.pop(place)
            return self.memory_of(index, group, chain)
        return memory

    def tracked(self, state: dict[str, Any]) -> TrackedState:
        """Entries that are nobody else's, in a dictionary that tells of its changes."""
        return TrackedState(self.__dict__.setdefault("_changes", Changes()), state)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for param, entries in self.state.items():  # a copy, to which nobody else can have a reference
            self.state[param] = self.tracked(entries)

    def look_at_state(self) -> None:
        """See whether somebody exchanged the state of a parameter since the last step."""
        table = self.__dict__.get("_table")
        if table is None or not table.still(self.state):
            # without a table a step was refused half way, and nobody knows what was exchanged since
            self.__dict__["_memory"] = {}
            self.drop_strangers()

    def remember_state(self) -> None:
        """Take the state as it is for what the next step shall find."""
        if self.__dict__.get("_table") is None:
            self.__dict__["_table"] = StateTable(self.state)

    def drop_strangers(self) -> None:
        """Forget what belongs to parameters that are in no group any more."""
        everyone = {param for group in self.param_groups for param in group["params"]}
        for table in (self.state, self.__dict__.get("_specs", {})):
            for param in [param for param in table if param not in everyone]:
                del table[param]

    def _takes_part(self, param: Tensor, group: dict[str, Any], chain: Chain) -> Readiness:
        """Whether a parameter may be stepped, and whether its state is as it must be.

        What is wrong with one that has no gradient is nobody's concern until it has one: it may have been offloaded.
        """
        state = self.state.get(param)
        if is_lazy(param) or not (param.requires_grad or param.grad is not None or state is not None):
            return Readiness.AWAY
        spec = self.spec_of(param)
        ready = Readiness.SETTLED if state else Readiness.UNSETTLED
        try:
            refuse_weights(group, spec, param)
            slots = slots_beside(state or {}, chain.slots(spec), spec)
            try:
                spec.policy.check(spec)  # it may have another type or shape than when it was given
                chain.check(spec)
                refuse_spread(param, spec, slots)
            except ValueError as refusal:
                raise RuntimeError(f"{group['recipe']}: {refusal}") from None
            if state and not self._is_settled(param, group, spec, slots):
                ready = Readiness.UNSETTLED
            if param.grad is not None and has_memory(param):
                self._refuse_gradient(group, param, param.grad)
        except RuntimeError:
            if param.grad is not None:
                raise
            return Readiness.AWAY
        return ready

    def _is_settled(self, param: Tensor, group: dict[str, Any], spec: ParamSpec, slots: Slots) -> bool:
        """Whether all of a parameter's state is there, where and how it must be."""
        state, settled = self.state[param], True
        for name, buffer, shared in arrays_of(slots, spec):
            value = state.get(name)
            if value is not None:
                refuse_state(group, spec, name, buffer, value)
            if value is None or not (shared or fits(value, param, buffer)):
                settled = False
        numbers = [key for key, slot in slots.items() if isinstance(slot, HostScalar)]
        return settled and all(key in state for key in ("step", *numbers))

    def _tensor_slots(self, param: Tensor, chain: Chain, first: bool) -> list[str]:
        """The arrays of a parameter's state; those that all share belong to the first."""
        spec = self.spec_of(param)
        slots = slots_beside(self.state[param], chain.slots(spec), spec)
        return [name for name, _, shared in arrays_of(slots, spec) if first or not shared]

    def _refuse_gradient(self, group: dict[str, Any], param: Tensor, grad: Tensor) -> None:
        spread = is_spread(grad), is_spread(param)
        alike = grad.shape == param.shape and grad.dtype == param.dtype and grad.device == param.device
        if alike and spread[0] == spread[1]:
            has, needs = room(grad)
            if has >= needs and grad.layout == torch.strided:
                return
        name = f"{group['recipe']}: the gradient of {self.spec_of(param)}"
        if grad.layout != torch.strided:
            refuse_sparse(name, self.recipe_spec_of(group), grad)
        if grad.shape != param.shape:
            raise RuntimeError(
                f"{name} has shape {tuple(grad.shape)}, the parameter {tuple(param.shape)}; clear gradients with "
                "zero_grad() after giving a parameter another shape"
            )
        if spread[0] != spread[1]:
            kinds = {True: "a distributed tensor", False: "a plain one"}
            raise RuntimeError(
                f"{name} is {kinds[spread[0]]}, the parameter {kinds[spread[1]]}; spread both alike "
                "(torch.distributed.tensor.distribute_tensor)"
            )
        if grad.device != param.device or grad.is_complex() != param.is_complex():
            raise RuntimeError(
                f"{name} is of type {grad.dtype} on {grad.device}, the parameter of type {param.dtype} on "
                f"{param.device}; clear gradients with zero_grad() after moving a parameter"
            )
        if not grad._is_zerotensor():
            refuse_empty(name, grad)

    def spec_of(self, param: Tensor) -> ParamSpec:
        """Shape, type, roles and name of one of this optimizer's parameters."""
        specs = self.__dict__.setdefault("_specs", {})
        spec = specs.get(param)
        if spec is None or spec.dtype != groups.real_dtype(param) or spec.shape != groups.real_shape(param):
            count = 0
            for group in self.param_groups:
                found = zip(group["params"], groups.specs(group, count))
                specs.update((param, spec) for param, spec in found if spec is not None)
                count += len(group["params"])
        return specs[param]

    def slots_for(self, group: dict[str, Any]) -> Callable[[Tensor], dict[str, Slot | HostScalar]]:
        """What this optimizer keeps for each parameter of a group with these hyper-parameters."""
        chain = self.recipe_spec_of(group).chain(group)
        return lambda param: chain.slots(self.spec_of(param))

    def recipe_spec_of(self, group: dict[str, Any]) -> RecipeSpec:
        name = group.get("recipe", getattr(self, "defaults", {}).get("recipe"))
        if name is None:
            raise ValueError('a param group of Optimizer names its recipe: {"params": [...], "recipe": "AdamW"}')
        return spec_named(name)

    def chain_of(self, group: dict[str, Any]) -> Chain:
        """The group's chain for its present hyper-parameters, with state for whatever it declares, held as it says."""
        recipe_spec = self.recipe_spec_of(group)
        knobs, policy = recipe_spec.knobs(group), groups.policy_of(group)
        chains = self.__dict__.setdefault("_chains", {})
        key, chain = chains.get(id(group), (None, None))
        if key != (recipe_spec, knobs, policy):
            old, chain = chain, recipe_spec.chain(group)
            other = key is not None and key[2] != policy
            if key is not None and any(self.state.get(param, {}).get("step") for param in group["params"]):
                warn_of_late(recipe_spec, key[1], knobs)
            if other:
                self.__dict__["_specs"] = {}
            if old is None or other or old.structure() != chain.structure():
                self.__dict__["_memory"] = {}
                try:
                    params = [p for p in group["params"] if self._takes_part(p, group, chain) is not Readiness.AWAY]
                except RuntimeError:
                    self.__dict__["_specs"] = {}  # they say what the group was refused for
                    raise
                if other:
                    tell_of_change(group["recipe"], key[2], policy)
                for param in params:  # all were looked at before any is touched
                    self._forget(param, old, chain)
                    self.settle_in(param, group, chain)
            chains[id(group)] = (recipe_spec, knobs, policy), chain
        return chain

    def _forget(self, param: Tensor, old: Chain | None, new: Chain) -> None:
        """Drop the state that only the chain before declared."""
        spec = self.spec_of(param)
        for key in () if old is None else old.slots(spec).keys() - new.slots(spec).keys():
            for name in [key, *names_of(key, self.state[param])]:
                self.state[param].pop(name, None)

    def settle_in(self, param: Tensor, group: dict[str, Any], chain: Chain) -> None:
        """Make sure that the parameter's state is there, on its device and in its format."""
        state = self.state[param] if param in self.state else self.tracked({})
        self.state[param] = state
        state.setdefault("step", 0.0)
        spec = self.spec_of(param)
        for key, slot in slots_beside(state, chain.slots(spec), spec).items():
            if isinstance(slot, HostScalar):
                if state.get(key) is None:
                    state[key] = slot.start
            else:
                self._settle_slot(param, group, key, slot, spec)
        beside = spec.weight_arrays
        held = names_of(WEIGHTS, state) == list(beside)
        if not held or not all(fits(state[name], param, like) for name, like in beside.items()):
            convert_weights(param, state, spec)

    def _settle_slot(self, param: Tensor, group: dict[str, Any], key: str, slot: Slot, spec: ParamSpec) -> None:
        state, arrays = self.state[param], slot.arrays_for(key, spec)
        for name, buffer in arrays.items():
            if name in state:
                refuse_state(group, spec, name, buffer, state[name])
        if slot.shared and key not in state:
            shared = next((other[key] for other in self.state.values() if key in other), None)
            state.update({} if shared is None else {key: shared})
        if all(name in state and (slot.shared or fits(state[name], param, like)) for name, like in arrays.items()):
            return
        values = values_of(state, key)
        for name in names_of(key, state):
            del state[name]
        there = isinstance(values, Tensor) and values.device.type != "meta"
        state.update(encoded(param, key, slot, spec, values) if there else new_arrays(param, key, slot, spec))


def _same(params: list[Tensor], others: list[Tensor]) -> bool:
    return len(params) == len(others) and all(map(is_, params, others))


def _wakes(rest: list[Tensor]) -> bool:
    """Whether a parameter without state has a gradient now."""
    return any(param.grad is not None for param in rest)
