"""Crew: the parameters of one family on the CPU, stepped together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import is_, itemgetter
from typing import Any

import torch
from torch import Tensor

from gradwright.core import Total
from gradwright.engine.bucket import Bucket, Kernel
from gradwright.engine.job import Progress, Share
from gradwright.engine.layout import laid_as, lies_as
from gradwright.engine.links import batches, run_link
from gradwright.engine.program import Family, Program
from gradwright.native.threads import threads_for

UNKNOWN = float("nan")
"""What stands for a total that is not known yet; no value computed by then depends on it."""

Ages = list[tuple[float, ...]]


class Crew:
    """Parameters of families that run the same programs, in buckets by the program that their ages call for."""

    def __init__(self, families: Sequence[Family], members: list[int], share: Share) -> None:
        self.families, self.family, self.members = families, families[0], members
        self.whole = members == list(range(len(share.params)))
        self.params = [share.params[at] for at in members]
        self.states = share.states if self.whole else [share.states[at] for at in members]
        self.contiguous = all(map(Tensor.is_contiguous, self.params))
        self.single = [at for at, param in enumerate(self.params) if param.numel() == 1]
        self.buckets: dict[tuple[Any, ...], Any] = {}
        self._batches: dict[tuple[int, ...], list[list[int]]] = {}
        self._looked: tuple[Share, tuple[Sequence[Tensor], Ages]] | None = None

    @staticmethod
    def inputs(of: Family, share: Share, state: dict[str, Any]) -> tuple[float, ...]:
        """The host inputs of a family's programs for a parameter in this state."""
        numbers = (state[key] for key in of.numbers)
        held = (float(state[key]) for key in of.shared)
        loss = [float(share.loss)] if share.loss is not None and "loss" in of.inputs else []
        return (*share.chain.knobs().values(), state["step"] + 1.0, share.clock, *numbers, *held, *loss)

    def run(self, share: Share) -> list[Progress]:
        """The step, in pieces that run one after another but for the totals that they wait for together."""
        grads, ages = self._seen(share)
        self._looked = None
        unfit = self._unfit(grads)
        if not unfit and ages.count(ages[0]) == len(ages):
            return [self._advance(None, ages[0], grads, unfit, share)]
        return [self._advance(members, age, grads, unfit, share) for age, members in self._apart(ages, unfit)]

    def agree(self, share: Share) -> bool:
        """Whether all parameters still run the same program at each age, as when the crew was formed.

        Raises:
            Untraceable: at this step the chain does what the graph has no word for.
        """
        if not any(one.guarded for one in self.families):
            return True
        _, ages = self._seen(share)
        for at in dict(zip(ages, range(len(ages)))).values():
            values = self.inputs(self.family, share, self.states[at])
            if len({id(one.program(values)) for one in self.families}) > 1:
                return False
        return True

    def present(self, share: Share) -> tuple[Sequence[Tensor], Ages]:
        """This step's gradients, laid out as the parameters are, and the age of each parameter with its Numbers."""
        grads, ages = self._seen(share)
        self._looked = None
        unfit = self._unfit(grads)
        if unfit:
            grads = [laid_as(g, p) if at in unfit else g for at, (g, p) in enumerate(zip(grads, self.params))]
        return grads, ages

    def _seen(self, share: Share) -> tuple[Sequence[Tensor], Ages]:
        if self._looked is not None and self._looked[0] is share:
            return self._looked[1]
        if self.whole:
            states, grads = share.states, share.grads
        else:
            states = [share.states[at] for at in self.members]
            grads = [share.grads[at] for at in self.members]
        if states is not self.states and not all(map(is_, states, self.states)):
            self.states = states
            self.buckets.clear()
        kept = [list(map(itemgetter(key), states)) for key in ("step", *self.family.numbers)]
        alike = all(column.count(column[0]) == len(column) for column in kept)
        ages = [tuple(column[0] for column in kept)] * len(states) if alike else list(zip(*kept))
        self._looked = share, (grads, ages)
        return grads, ages

    def _unfit(self, grads: Sequence[Tensor]) -> set[int]:
        """The gradients that do not lie in memory as their parameters do."""
        dtype = self.params[0].dtype
        if (
            self.contiguous
            and all(map(Tensor.is_contiguous, grads))
            and list(map(Tensor.dtype.__get__, grads)).count(dtype) == len(grads)  # type: ignore[attr-defined]
            # the imaginary part of a conjugate waits to be negated; strides betray it unless it is a single number
            and not any(grads[at].is_neg() for at in self.single)
        ):
            return set()
        return {at for at, (grad, param) in enumerate(zip(grads, self.params)) if not lies_as(grad, param)}

    def _apart(self, ages: Ages, unfit: set[int]) -> Iterator[tuple[tuple[float, ...], tuple[int, ...]]]:
        """Parameters of one age at a time, so few of the ``unfit`` at once that their copies take little memory."""
        by_age: dict[tuple[float, ...], list[int]] = {}
        for at, age in enumerate(ages):
            by_age.setdefault(age, []).append(at)
        for age, members in by_age.items():
            if fit := tuple(at for at in members if at not in unfit):
                yield age, fit
            for batch in batches(self.params, [at for at in members if at in unfit]):
                yield age, tuple(batch)

    def _advance(
        self,
        members: tuple[int, ...] | None,
        age: tuple[float, ...],
        grads: Sequence[Tensor],
        unfit: set[int],
        share: Share,
    ) -> Progress:
        """Step parameters of one age; ``members`` are all of them where it is None."""
        states = self.states if members is None else [self.states[at] for at in members]
        values = self.inputs(self.family, share, states[0])
        program = self.family.program(values)
        sums = [UNKNOWN] * len(program.sums)
        for kernel in program.asking:
            scalars = program.scalars((*values, *sums))
            fitted, places = self._laid(members, grads, unfit, share)
            found = self._launch(kernel, members, _row(program, kernel, scalars), share, {"grad": places})
            del fitted  # copies of gradients do not wait for the sums
            parts = dict(zip(kernel.plan.singles[-len(found) :], found))
            for name, keys in kernel.plan.asks.items():
                answer = yield Total(name, *(torch.tensor(parts[key], dtype=torch.float64) for key in keys))
                for key, value in zip(keys, answer if len(keys) > 1 else [answer]):
                    sums[program.sums.index(key)] = float(value)
        scalars = program.scalars((*values, *sums))
        fitted, places = self._laid(members, grads, unfit, share)
        last = program.kernels[-1]
        if len(program.kernels) == 1 + len(program.asking):
            self._launch(last, members, _row(program, last, scalars), share, {"grad": places})
        else:
            self._launch_around_links(program, members, scalars, fitted, share, age[0] + 1.0)
        step = age[0] + 1.0
        for state in states:
            state["step"] = step
        rest = scalars[sum(len(kernel.row) for kernel in program.kernels) :]
        for key, value in zip(program.numbers, rest):
            for state in states:
                state[key] = value
        return dict(zip(program.shared, rest[len(program.numbers) :]))

    def _laid(
        self, members: tuple[int, ...] | None, grads: Sequence[Tensor], unfit: set[int], share: Share
    ) -> tuple[Sequence[Tensor], list[int]]:
        """The gradients of some parameters as these lie in memory, and their places."""
        if members is None:
            if self.whole and share.grad_places is not None:
                return grads, share.grad_places
            return grads, list(map(Tensor.data_ptr, grads))
        laid = [laid_as(grads[at], self.params[at]) if at in unfit else grads[at] for at in members]
        return laid, list(map(Tensor.data_ptr, laid))

    def _launch(
        self,
        kernel: Kernel,
        members: tuple[int, ...] | None,
        scalars: Sequence[float],
        share: Share,
        places: dict[str, list[int]],
    ) -> list[float]:
        """Run a kernel on tables at these places; returns the parts of totals that it leaves, summed over tensors."""
        key = (id(kernel), members)
        bucket = self.buckets.get(key)
        if bucket is None:
            if len(self.buckets) > 256:
                self.buckets.clear()
            params = self.params if members is None else [self.params[at] for at in members]
            states = self.states if members is None else [self.states[at] for at in members]
            bucket = self.buckets[key] = Bucket(kernel, params, states, torch.get_num_threads())
        bucket.scalars[:] = scalars
        own = share.param_places if self.whole and members is None else None
        bucket.point(list(map(Tensor.data_ptr, bucket.params)) if own is None else own, places)
        kernel(bucket, min(threads_for(bucket.numel), bucket.threads))
        if "param" in kernel.plan.stores:
            torch.autograd.graph.increment_version(bucket.params)
        return bucket.parts.sum(axis=1).tolist()

    def _launch_around_links(
        self,
        program: Program,
        members: tuple[int, ...] | None,
        scalars: Sequence[float],
        grads: Sequence[Tensor],
        share: Share,
        step: float,
    ) -> None:
        """Kernel, opaque link, kernel ..., for one batch of tensors after another, so that few are in flight."""
        everyone = tuple(range(len(self.params))) if members is None else members
        if everyone not in self._batches:
            self._batches[everyone] = batches(self.params, everyone)
        position = {at: k for k, at in enumerate(everyone)}
        made: dict[str, list[Tensor]] = {}
        for batch in self._batches[everyone]:
            places = {"grad": [grads[position[at]].data_ptr() for at in batch]}
            for kernel in program.kernels[len(program.asking) :]:
                row = _row(program, kernel, scalars)
                if kernel.plan.feeds is None:
                    self._launch(kernel, tuple(batch), row, share, places)
                    continue
                params = [self.params[at] for at in batch]
                waiting = [torch.empty_like(p, dtype=self.family.spec.computing_dtype) for p in params]
                places["@"] = list(map(Tensor.data_ptr, waiting))
                self._launch(kernel, tuple(batch), row, share, places)
                link = kernel.plan.feeds
                made[link] = run_link(share.chain.children()[link], waiting, share, self.params[batch[0]], step)
                places[f"@{link}"] = list(map(Tensor.data_ptr, made[link]))


def _row(program: Program, kernel: Any, scalars: Sequence[float]) -> Sequence[float]:
    """A kernel's part of what the host program computes."""
    begin = program.begins[program.kernels.index(kernel)]
    return scalars[begin : begin + len(kernel.row)]
