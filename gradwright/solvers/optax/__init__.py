"""Second-order steps as optax transforms: value_fn, grad_fn and hvp are extra arguments of ``update``.

Needs optax and jax.

    import optax
    from gradwright.solvers.optax import scale_by_steihaug

    transform = scale_by_steihaug()
    state = transform.init(params)
    updates, state = transform.update(grads, state, params, value_fn=loss)
    params = optax.apply_updates(params, updates)

``value_fn`` takes the parameters and returns the loss; ``grad_fn`` (by default its gradient) and ``hvp`` (v ↦ Hv at
these parameters, by default the linearised gradient) may be given where there is a better way. Everything runs under
jit, scan and vmap, in the dtype of the parameters. Updates are additive steps: nothing has to be negated or scaled
after them.
"""

from gradwright.solvers.optax.hager_zhang import scale_by_hager_zhang
from gradwright.solvers.optax.hessian_free import scale_by_hessian_free
from gradwright.solvers.optax.lbfgs import cautious_lbfgs
from gradwright.solvers.optax.newton_cg import scale_by_newton_cg
from gradwright.solvers.optax.steihaug import scale_by_steihaug

__all__ = ["cautious_lbfgs", "scale_by_hager_zhang", "scale_by_hessian_free", "scale_by_newton_cg", "scale_by_steihaug"]
