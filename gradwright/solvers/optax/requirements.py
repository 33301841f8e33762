"""The packages that these transforms need, or an error that names what is missing."""

try:
    import jax
    import jax.numpy as jnp
    import optax
    from jax.flatten_util import ravel_pytree
except ImportError as missing:
    raise ImportError(f"gradwright.solvers.optax needs {missing.name}; pip install optax jax") from missing

__all__ = ["jax", "jnp", "optax", "ravel_pytree"]
