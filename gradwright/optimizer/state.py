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
from gradwright.engine.access import as_real
from gradwright.engine.collective import is_spread
from gradwright.engine.rows import begin_tables, slots_beside
from gradwright.optimizer import groups
from gradwright.optimizer.pointers import PointerCache, StateTable, has_memory, room
from gradwright.optimizer.refusals import is_locked, refuse_empty, refuse_sparse, refuse_weights, warn_of_late
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
            try:
                chain.check(spec)  # it may have another shape than when it was given
            except ValueError as refusal:
                raise RuntimeError(f"{group['recipe']}: {refusal}") from None
            for key, slot in slots_beside(state, chain, spec).items() if state else ():
                value = state.get(key)
                if value is not None and isinstance(slot, Slot):
                    self._refuse_state(group, spec, key, slot, value)
                    if slot.shared or self._fits(value, param, slot, spec):
                        continue
                if value is None or isinstance(slot, Slot):
                    ready = Readiness.UNSETTLED
            if "step" not in (state or ()):
                ready = Readiness.UNSETTLED
            if param.grad is not None and has_memory(param):
                self._refuse_gradient(group, param, param.grad)
        except RuntimeError:
            if param.grad is not None:
                raise
            return Readiness.AWAY
        return ready

    def _tensor_slots(self, param: Tensor, chain: Chain, first: bool) -> list[str]:
        """The slots of a parameter that are tensors; those that all share belong to the first."""
        slots = slots_beside(self.state[param], chain, self.spec_of(param)).items()
        return [key for key, slot in slots if isinstance(slot, Slot) and (first or not slot.shared)]

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

    def new_slot(self, param: Tensor, slot: Slot) -> Tensor:
        """A fresh state tensor for a parameter, at its starting value."""
        spec = self.spec_of(param)
        dtype = slot.dtype_for(spec)
        if dtype == torch.float64 and slot.shared and param.device.type == "mps":
            dtype = torch.float32
        start = 0.0 if slot.start == "param" else slot.start
        if slot.full_size:
            return torch.full_like(as_real(param.detach()), start, dtype=dtype, memory_format=torch.preserve_format)
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
            if key is not None and any(self.state.get(param, {}).get("step") for param in group["params"]):
                warn_of_late(recipe_spec, key[1], knobs)
            if old is None or old.structure() != chain.structure():
                self.__dict__["_memory"] = {}
                for param in group["params"]:
                    if self._takes_part(param, group, chain) is not Readiness.AWAY:
                        self._forget(param, old, chain)
                        self.settle_in(param, group, chain)
            chains[id(group)] = (recipe_spec, knobs), chain
        return chain

    def _forget(self, param: Tensor, old: Chain | None, new: Chain) -> None:
        """Drop the state that only the chain before declared."""
        spec = self.spec_of(param)
        for key in () if old is None else old.slots(spec).keys() - new.slots(spec).keys():
            self.state[param].pop(key, None)

    def settle_in(self, param: Tensor, group: dict[str, Any], chain: Chain) -> None:
        """Make sure that the parameter's state is there, on its device and in its type."""
        state = self.state[param] if param in self.state else self.tracked({})
        self.state[param] = state
        state.setdefault("step", 0.0)
        for key, slot in slots_beside(state, chain, self.spec_of(param)).items():
            value = state.get(key)
            if isinstance(slot, HostScalar):
                if value is None:
                    state[key] = slot.start
                continue
            if value is not None:
                spec = self.spec_of(param)
                self._refuse_state(group, spec, key, slot, value)
                if slot.shared or self._fits(value, param, slot, spec):
                    continue
            elif slot.shared:
                value = next((other[key] for other in self.state.values() if key in other), None)
                if value is not None:
                    state[key] = value
                    continue
            fresh = self.new_slot(param, slot)
            if value is not None and value.device.type != "meta":
                fresh.copy_(value)
            state[key] = fresh

    def _refuse_state(self, group: dict[str, Any], spec: ParamSpec, key: str, slot: Slot, value: Tensor) -> None:
        if isinstance(value, Tensor) and value.layout == torch.strided and value.shape == slot.shape_for(spec):
            has, needs = room(value)
            if has >= needs:
                return
        name = f"{group['recipe']}: the state {key!r} of {spec}"
        if not isinstance(value, Tensor):
            raise RuntimeError(f"{name} is {value!r}, a {type(value).__name__}, expected a tensor")
        if value.layout != torch.strided:
            raise RuntimeError(f"{name} is laid out as {value.layout}, expected torch.strided; use value.to_dense()")
        if tuple(value.shape) != tuple(slot.shape_for(spec)):
            raise RuntimeError(
                f"{name} has shape {tuple(value.shape)}, expected {tuple(slot.shape_for(spec))}: one of the two was "
                "given another shape. Copy into state instead of replacing it; for a parameter that is another now, "
                "let its state begin anew with optimizer.state.pop(param)"
            )
        refuse_empty(name, value)

    def _fits(self, value: Tensor, param: Tensor, slot: Slot, spec: ParamSpec) -> bool:
        """Whether a slot is where its parameter is, of the right type, and laid out alike."""
        if value.device != param.device or value.dtype != slot.dtype_for(spec):
            return False
        if value.is_neg() or has_memory(param) > has_memory(value) or is_locked(value):
            return False
        if not slot.full_size:
            return value.is_contiguous()
        alike = torch.empty_like(as_real(param.detach()), device="meta")
        return value.shape != alike.shape or value.stride() == alike.stride()


def _same(params: list[Tensor], others: list[Tensor]) -> bool:
    return len(params) == len(others) and all(map(is_, params, others))


def _wakes(rest: list[Tensor]) -> bool:
    """Whether a parameter without state has a gradient now."""
    return any(param.grad is not None for param in rest)
