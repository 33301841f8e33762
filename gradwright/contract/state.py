"""What a recipe keeps beside each parameter, and whose it is."""

from __future__ import annotations

import torch
from torch import Tensor

from gradwright.contract.check import Knobs, RecipeClass, check
from gradwright.contract.training import (
    MATRIX,
    Training,
    changes,
    copies,
    is_shared,
    same,
    served,
    slots_of,
    snapshot,
    weights,
)
from gradwright.core import Slot
from gradwright.optimizer.arrays import arrays_of

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


@check()
def keeps_what_it_declares(recipe: RecipeClass, knobs: Knobs) -> None:
    """From construction on, the state has the declared keys, shapes, types and bytes, and no others."""
    for dtype in DTYPES:
        training = Training(recipe, knobs, served(recipe, knobs, weights(((3, 4), (2, 3, 2, 2), (5,), ()), dtype)))
        _declared(training, "at construction")
        _declared(training.step(3), "after three steps")


def _declared(training: Training, when: str) -> None:
    for param in training.params:
        spec, state = training.optimizer.spec_of(param), training.optimizer.state[param]
        slots = slots_of(training.optimizer, param)
        numbers = [key for key, slot in slots.items() if not isinstance(slot, Slot)]
        arrays = {name: buffer for name, buffer, _ in arrays_of(slots, spec)}
        declared = {"step", *numbers, *arrays}
        assert state.keys() == declared, f"{when}, {spec} has {sorted(state)}; declared is {sorted(declared)}"
        for key in numbers:
            assert type(state[key]) is float, f"{when}, the HostScalar {key} is a {type(state[key]).__name__}"
        for key, buffer in arrays.items():
            value = state[key]
            found, wanted = (tuple(value.shape), value.dtype), (buffer.shape, buffer.dtype)
            assert found == wanted, f"{when}, {key} of {spec} is {found}; declared is {wanted}"
            held = value.untyped_storage().nbytes()
            assert held == value.numel() * value.element_size(), f"{when}, {key} of {spec} holds {held} bytes"


@check()
def shares_one_tensor(recipe: RecipeClass, knobs: Knobs) -> None:
    """A shared slot is the same tensor object beside every parameter, after loading too."""
    training = Training(recipe, knobs).step(2)
    loaded = training.resumed(recipe, knobs)
    loaded.optimizer.load_state_dict(training.optimizer.state_dict())
    for optimizer in (training.optimizer, loaded.optimizer):
        first = optimizer.param_groups[0]["params"][0]
        for param in optimizer.param_groups[0]["params"]:
            for key, slot in slots_of(optimizer, param).items():
                if is_shared(slot):
                    one = optimizer.state[first][key] is optimizer.state[param][key]
                    assert one, (
                        f"the shared slot {key} is one tensor for {optimizer.spec_of(param)} and another for others"
                    )


@check(
    shared="what all tensors share is not new when one joins",
    totals="a sum over all tensors differs with who else is there",
    clock="its cycles follow the optimizer's clock",
)
def latecomers_start_at_one(recipe: RecipeClass, knobs: Knobs) -> None:
    """A parameter whose gradients begin at step 4 takes the steps of one that began at step 1."""
    early, late = served(recipe, knobs, weights(MATRIX)) * 2
    early, late = copies((early, late))
    training = Training(recipe, knobs, [early, late])
    first = [training.gradients()[0] + shift for shift in (0.0, 0.5, -0.7)]
    loss, paths = torch.tensor(2.0, device="cpu"), ([], [])
    for time in range(6):
        training.step_on([first[time % 3], first[time - 3] if time >= 3 else None], loss)
        paths[time // 3].append(training.values()[time // 3])
    for step, (there, here) in enumerate(zip(*paths), 1):
        assert same(there, here), f"the step {step} of a parameter that joined late is not that of one at the start"


@check()
def missing_gradients_change_nothing(recipe: RecipeClass, knobs: Knobs) -> None:
    """A parameter without a gradient keeps its weights and its own state; the others go on."""
    one, other = copies(served(recipe, knobs, weights(MATRIX)) * 2)
    training = Training(recipe, knobs, [one, other]).step(3)
    for _ in range(6):
        before = snapshot(training.optimizer)
        training.step_on([None, training.gradients()[1]])
        changed = [name for name in changes(before, snapshot(training.optimizer)) if name in _own(training, one)]
        assert not changed, f"without a gradient, {', '.join(changed)} changed"
    assert training.optimizer.state[other]["step"] == 9, "the parameter with gradients did not go on"


def _own(training: Training, param: Tensor) -> set[str]:
    name = training.optimizer.spec_of(param).name
    own = {key for key, slot in slots_of(training.optimizer, param).items() if not is_shared(slot)}
    return {f"the weights of {name}", *(f"{key} of {name}" for key in own | {"step"})}


@check()
def new_groups_join(recipe: RecipeClass, knobs: Knobs) -> None:
    """add_param_group between two steps: state is there at once, and the new parameter moves with the old ones."""
    old, new = copies(served(recipe, knobs, weights(MATRIX)) * 2)
    training = Training(recipe, knobs, [old]).step(3)
    training.optimizer.add_param_group({"params": [new]})
    state = training.optimizer.state[new]
    assert state.keys() == {"step", *slots_of(training.optimizer, new)}, f"the new parameter's state is {sorted(state)}"
    clocks = {group["clock"] for group in training.optimizer.param_groups}
    assert len(clocks) == 1, f"the groups' clocks differ: {sorted(clocks)}"
    training.params.append(new)
    before = training.values()
    training.step(6)
    for spec, start, end in zip(("old", "new"), before, training.values()):
        assert not same(start, end), f"the {spec} parameter did not move after a group was added"


@check()
def follows_its_parameters(recipe: RecipeClass, knobs: Knobs) -> None:
    """If parameters change their type between two steps, the state follows and the steps go on."""
    training = Training(recipe, knobs).step(3)
    for dtype in (torch.float64, torch.bfloat16, torch.float32):
        for param in training.params:
            param.grad, param.data = None, param.data.to(dtype)
        _declared(training.step(6), f"after the parameters became {dtype}")
        assert all(param.isfinite().all() for param in training.params), f"as {dtype}, the weights are not finite"
        assert all(param.dtype == dtype for param in training.params), f"the step undid the change to {dtype}"


@check()
def state_can_be_cleared(recipe: RecipeClass, knobs: Knobs) -> None:
    """optimizer.state.clear() starts afresh: the next steps are those of a new optimizer at that clock."""
    cleared = Training(recipe, knobs).step(3)
    fresh = cleared.resumed(recipe, knobs)
    for mine, yours in zip(fresh.optimizer.param_groups, cleared.optimizer.param_groups):
        mine["clock"] = yours["clock"]
    cleared.optimizer.state.clear()
    with cleared.optimizer.evaluating():
        pass
    differing: list[str] = changes(snapshot(fresh.step(3).optimizer), snapshot(cleared.step(3).optimizer))
    assert not differing, f"after state.clear(), these differ from a new optimizer: {', '.join(differing)}"


@check()
def keeps_dtype(recipe: RecipeClass, knobs: Knobs) -> None:
    """Weights of every floating type, halves too, keep their type and stay finite."""
    for dtype in DTYPES:
        params = served(recipe, knobs, weights(((3, 4), (5,), ()), dtype))
        training = Training(recipe, knobs, params).step(4)
        for param in training.params:
            assert param.dtype == dtype, f"{dtype} weights became {param.dtype}"
            assert param.requires_grad, f"{dtype} weights lost requires_grad"
            assert bool(param.isfinite().all()), f"{dtype} weights are not finite after four steps: {param.data}"
