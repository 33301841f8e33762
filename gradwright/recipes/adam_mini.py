"""Adam-mini: one second moment for each block of weights that belong together."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import AddEps, Decay, Ema, PerBlock, PerRow, Precondition, Scale

ROWS = "bias | !vector & !scalar"
"""What has a number for each row, and each entry of a bias; of the rest one number is kept."""


@recipe(paper="arXiv:2406.16793", traits="scale_free reduces")
def AdamMini(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    heads: int | None = None,
):
    """AdamW with one second moment for each block of the Hessian, which halves the state.

    v ← β₂ v + (1 − β₂) (mean of g² over the block);   m ← β₁ m + (1 − β₁) g
    p ← p − lr ((m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε) + λ p), without decay of vectors

    A block is a row of a matrix or of an embedding, a filter of a convolution, an entry of a bias; the gain of a norm
    layer, and any other vector, is one as a whole. In query and key matrices the paper's blocks are heads, which
    ``heads`` says for a group of its own:

    ``route(model, {"name:*.q_proj.weight | name:*.k_proj.weight": AdamMini.bind(heads=12), "*": AdamMini})``

    Rows there too are finer blocks, and cost next to nothing more.

    Deviation from the authors' code: it tells layers by substrings of their names. A model whose names it does not know
    gets one number for each tensor, and a norm layer below a module called ``output``, ``mlp`` or ``final_layer`` an
    IndexError; here the structure of the modules tells (:func:`gradwright.find_roles`). Kernels, which it does not
    know, have a number for each filter.

    Args:
        lr: learning rate, that of AdamW.
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, outside the root (the authors' code; its documentation says 1e-6).
        weight_decay: λ ≥ 0, decoupled, not of vectors.
        heads: the heads of which a matrix consists, each as many rows as the others; of a key matrix with fewer heads
            than the query's, its own number.

    Raises:
        ValueError: ``heads`` does not share out the rows of a parameter, or that is no matrix.
    """
    moment = PerRow(betas[1], only=ROWS) if heads is None else PerBlock(betas[1], heads)
    return chain(
        Ema(betas[0], debias=True),
        Precondition(moment, AddEps(eps)),
        Decay(weight_decay, only="!vector & !scalar"),
        Scale(lr),
    )
