"""SelfScaled: a schedule-free step that finds its own size from one sign a tensor and step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from gradwright.core import Context, Nest, ParamSpec, Slot, Total
from gradwright.core.number import WHOLE
from gradwright.core.ops import exp, log, maximum, minimum, rms, sqrt, total, where
from gradwright.core.transform import WEIGHTS, Slots, State, UpdateCoroutine
from gradwright.transforms.common.matrices import block_dimensions, block_shape, check_blocks, from_blocks, in_blocks
from gradwright.transforms.weights.schedule_free import ScheduleFree

FLOOR = 1e-3
"""The least size that a tensor counts with, so that one that starts at zero can leave it."""
TINY = 1e-30
"""Stands for a size of zero, with which nothing moves."""
MOST = 0.5
"""The most that keeping the norm may take of the weights in one step."""


@dataclass(frozen=True)
class SelfScaled(Nest):
    """Give a schedule-free step its size: relative to one scale of the model, times a factor that each tensor learns.

    With the weights y, the iterate z of ``of`` and the mean over all tensors of two or more dimensions (over all, if
    there are none):

    G = exp(mean of log max(rms y, 1e-3));   k ← k + rate · (up if ⟨g, y − z⟩ > 0, −down if < 0, else 0)
    up = 1, or n ^ release where k < 0, with n the number of entries of the tensor
    s = min(size · relative_step · eᵏ, cap · min(1, √(cap_steps / t)))
    z ← z − s G u − min(½, keep / 2 · (s G rms(u) / max(rms y, 1e-3, G))²) z

    y − z points to the average of the iterates. A gradient along it says that the iterate goes on in the right
    direction, and that its steps may be longer. The second term keeps the norm from growing as a random walk would.
    The step depends neither on the scale of the loss nor on a common factor of all weights. Each matrix of a stack has
    a k of its own. A gradient of zero, and one that is missing, leaves k alone; so do the first two steps, at which y
    and z are together.

    ``size``, the learning rate of ``of``, multiplies what k finds and not the cap: ten times the size is then a start
    ten times as far, from which k comes back, and no step beyond what was found to be safe.

    Args:
        of: the averaging, with the ``size``.
        relative_step: the first one.
        rate: how fast k follows the signs.
        down: how much a gradient against y − z counts, relative to one along it; below 1, since noise turns the sign.
        release: the power of n by which one along it counts while k < 0, in [0, 1]. Noise alone makes z wander around
            its average, where most gradients point back, and k would sink without any harm being done. Steps that are
            too long are told from that by gradients that all point back, and that is the surer the more entries agree.
        cap: the longest relative step.
        cap_steps: steps after which the cap falls as 1 / √t.
        keep: 1 keeps the norm against steps at a right angle to the weights, 0 lets it grow.
        split: how many equal blocks of rows a matrix consists of; every block counts as a matrix, with a k of its own.
    """

    of: ScheduleFree
    relative_step: float = 0.04
    rate: float = 0.03
    down: float = 0.35
    release: float = 0.25
    cap: float = 0.1
    cap_steps: float = 400.0
    keep: float = 0.25
    split: int = 1
    stage: ClassVar[int] = WEIGHTS
    bounds: ClassVar = {
        "relative_step": (1e-30, math.inf),
        "keep": (0.0, 1.0 + 1e-12),
        "release": (0.0, 1.0 + 1e-12),
        "split": (1, WHOLE),
    }

    def slots(self, spec: ParamSpec) -> Slots:
        seen = block_shape(spec, self.split) if self.split > 1 else None
        return {**super().slots(spec), "k": Slot(keep=block_dimensions(spec, self.split), of=seen)}

    def check(self, spec: ParamSpec) -> None:
        check_blocks("SelfScaled", spec, self.split)
        super().check(spec)

    def update(self, u: Any, state: State, ctx: Context) -> UpdateCoroutine:
        each, shape = block_dimensions(ctx.spec, self.split), block_shape(ctx.spec, self.split)
        y, z, g, u = (in_blocks(x, ctx.spec, self.split) for x in (ctx.param, state["of.z"], ctx.grad, u))
        size = maximum(rms(y, each), FLOOR)
        common = yield from self._common(size, math.prod(shape[: len(each)]), ctx.spec)
        along = total(g * (y - z), each)
        # the first step leaves y and z together but for rounding, which says nothing
        rate = self.rate * minimum(1.0, maximum(ctx.step - 2.0, 0.0))
        k = state["k"]
        entries = float(math.prod(ctx.spec.own_shape) // math.prod(shape[: len(each)]))
        up = where(k < 0, exp(self.release * math.log(entries)), 1.0 + 0.0 * k)
        k = k + rate * where(along > 0, up, where(along < 0, -self.down, 0.0 * along))
        longest = self.cap * minimum(1.0, sqrt(self.cap_steps / ctx.step))
        step = common * minimum(self.of.size * self.relative_step * exp(k), longest)
        wide = step * rms(u, each) / maximum(size, common)
        shrink = minimum(self.keep / 2 * wide * wide, MOST)
        # ``of`` multiplies by its size, which is in the step already
        move = (step * u + shrink * z) / maximum(self.of.size, TINY)
        return (yield from self.run("of", from_blocks(move, ctx.spec, self.split), {**state, "k": k}, ctx))

    def _common(self, size: Any, matrices: int, spec: ParamSpec) -> Any:
        """The geometric mean of the sizes of all matrices, or of all tensors where there is no matrix."""
        logs = total(log(size))
        held = matrices + 0.0 * logs
        counts = 1.0 if spec.matches("!vector & !scalar") else 0.0
        of_matrices, found, of_all, tensors = yield Total("common_scale", counts * logs, counts * held, logs, held)
        return exp(where(found > 0, of_matrices / maximum(found, 1.0), of_all / tensors))
