"""Sharpness: methods that look twice, around any recipe. They seek weights whose neighbourhood has a low loss too.

Each makes a recipe of a recipe, as the combinators of :mod:`gradwright.recipes` do, and steps through a closure, which
it calls once or twice::

    optimizer = gradwright.sharpness.sam(gradwright.AdamW)(model.parameters(), lr=1e-3, rho=0.05)

    def closure():
        optimizer.zero_grad()
        loss = loss_function(model(inputs), targets)
        loss.backward()
        return loss

    loss = optimizer.step(closure)

``step`` returns the loss at the weights. The second evaluation, at perturbed weights, draws the same random numbers
(dropout masks are equal) and leaves the running statistics of norm layers as they are; a compiled model is given as
``step(closure, model=model)`` for that. The weights are put back bit for bit, whatever the closure raises. One count of
step, clock and hooks passes, and clipping, decay and moments see the combined gradient alone.

*Accumulation*: the closure loops over its micro-batches, and the perturbation is that of the whole batch.
*GradScaler*: ``step(closure, scaler=scaler)``, whose closure returns the loss and calls no backward; an overflow in
either evaluation skips the step and halves the scale, in the first one without a second evaluation.
*Ranks*: perturbations are made of the averaged gradients, so that they do not depend on the number of ranks. For SAM
and ASAM ``first_pass=model.no_sync`` lets each rank look where its own share of the batch leads, and saves a reduction.
*Half-precision weights* lose the part of a perturbation that is below their last place, which may be all of it; keep
weights in float32 (autocast is fine).
"""

from gradwright.sharpness.friendly import friendly_sam
from gradwright.sharpness.gsam import gsam
from gradwright.sharpness.looksam import looksam
from gradwright.sharpness.sam import asam, sam
from gradwright.sharpness.wsam import wsam

__all__ = ["asam", "friendly_sam", "gsam", "looksam", "sam", "wsam"]
