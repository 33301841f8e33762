"""The optax transforms: they converge in both precisions under jit, scan and vmap, and name what is missing."""

import pytest

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

from gradwright.solvers import optax as second  # noqa: E402


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", request.param == "float64")
    yield request.param
    jax.config.update("jax_enable_x64", before)


def rosenbrock(p):
    x = p["x"]
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def quadratic(p):
    x = p["x"]
    return 0.5 * jnp.sum(jnp.asarray([1.0, 10.0, 100.0, 1000.0], x.dtype) * (x - 3) ** 2)


TRANSFORMS = {
    "newton-cg": lambda: optax.chain(second.scale_by_newton_cg(), second.scale_by_hager_zhang()),
    "steihaug": lambda: second.scale_by_steihaug(),
    "hessian-free": lambda: second.scale_by_hessian_free(),
    "l-bfgs": lambda: optax.chain(second.cautious_lbfgs(), second.scale_by_hager_zhang()),
    "newton-cg zoom": lambda: optax.chain(second.scale_by_newton_cg(), optax.scale_by_zoom_linesearch(20)),
}


def run(transform, fun, params, steps):
    def step(carry, _):
        params, state = carry
        value, grads = jax.value_and_grad(fun)(params)
        updates, state = transform.update(grads, state, params, value_fn=fun, value=value, grad=grads)
        return (optax.apply_updates(params, updates), state), value

    (params, _), values = jax.lax.scan(step, (params, transform.init(params)), length=steps)
    return params, values


@pytest.mark.slow
@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize(("fun", "start", "target"), [(quadratic, 0.0, 3.0), (rosenbrock, -1.2, 1.0)])
def test_reaches_the_minimum_under_jit_and_scan(name, fun, start, target, dtype):
    params = {"x": jnp.full(4, start, dtype).at[1].set(1.0)}
    found, values = jax.jit(lambda p: run(TRANSFORMS[name](), fun, p, 150 if name != "hessian-free" else 300))(params)
    assert found["x"].dtype == dtype
    np.testing.assert_allclose(found["x"], target, atol=2e-2 if dtype == "float32" else 1e-5)
    if "zoom" not in name:
        assert (np.diff(values) <= 1e-5 * np.abs(values[:-1]) + 1e-6).all()


@pytest.mark.parametrize("dtype", ["float64"], indirect=True)
@pytest.mark.parametrize("name", [name for name in TRANSFORMS if "zoom" not in name])
def test_instances_of_a_batch_do_not_notice_each_other(name, dtype):
    """Among others, whose loops end elsewhere, an instance goes where it goes among copies of itself: one program."""
    starts = jnp.asarray([[-1.2, 1.0], [0.5, 2.0], [2.0, -1.0]], dtype)
    batch = jax.jit(jax.vmap(lambda x: run(TRANSFORMS[name](), rosenbrock, {"x": x}, 2)[0]["x"]))
    together = batch(starts)
    assert (together != starts).any()
    for index, start in enumerate(starts):
        np.testing.assert_allclose(together[index], batch(jnp.stack([start] * 3))[0], rtol=1e-7, atol=1e-9)


def test_newton_cg_solves_a_quadratic_in_one_step(dtype):
    params = {"x": jnp.zeros(4, dtype)}
    transform = second.scale_by_newton_cg(forcing=1e-6)
    H = np.diag([1.0, 10.0, 100.0, 1000.0]).astype(dtype)
    updates, _ = transform.update(
        jax.grad(quadratic)(params), transform.init(params), params, hvp=lambda v: {"x": H @ v["x"]}
    )
    np.testing.assert_allclose(updates["x"], 3.0, rtol=1e-3)


def test_steihaug_step_is_the_exact_one_of_the_boundary():
    """‖p‖ = Δ in float32, along −g at first: for H = I the step is −Δ g / ‖g‖."""
    params = {"x": jnp.asarray([3.0, 4.0], "float32")}
    fun = lambda p: 0.5 * jnp.sum(p["x"] ** 2)  # noqa: E731
    transform = second.scale_by_steihaug(first_radius=0.5)
    updates, state = transform.update(jax.grad(fun)(params), transform.init(params), params, value_fn=fun)
    np.testing.assert_allclose(updates["x"], [-0.3, -0.4], rtol=1e-5)
    assert bool(state.accepted)
    np.testing.assert_allclose(state.radius, 1.0)


def test_steihaug_rejects_a_wall_and_shrinks():
    fun = lambda p: jnp.where(p["x"][0] < 0.9, jnp.nan, p["x"][0] ** 2)  # noqa: E731
    params = {"x": jnp.asarray([1.0, 0.0], "float32")}
    transform = second.scale_by_steihaug(first_radius=0.5)
    updates, state = transform.update(
        {"x": jnp.asarray([2.0, 0.0])}, transform.init(params), params, value_fn=fun, hvp=lambda v: v
    )
    assert not bool(state.accepted)
    assert float(jnp.abs(updates["x"]).max()) == 0
    assert float(state.radius) == pytest.approx(0.125)


def test_cautious_memory_refuses_negative_curvature():
    transform = second.cautious_lbfgs(3)
    params = {"x": jnp.asarray([1.0, 2.0], "float32")}
    state = transform.init(params)
    for x in (1.0, 2.0, 3.0, 3.0):
        point = {"x": jnp.asarray([x, 0.5], "float32")}
        updates, state = transform.update({"x": -point["x"]}, state, point)
        assert float(updates["x"] @ -point["x"]) < 0
    assert int(state.count) == 0


@pytest.mark.parametrize(
    "name", ["scale_by_steihaug", "scale_by_hessian_free", "scale_by_hager_zhang", "scale_by_newton_cg"]
)
def test_what_is_missing_is_named(name):
    transform = getattr(second, name)()
    params = {"x": jnp.zeros(2)}
    wanted = "hvp" if name == "scale_by_newton_cg" else "value_fn"
    with pytest.raises(ValueError, match=f"{name}: {wanted} is missing"):
        transform.update(params, transform.init(params), params)
    with pytest.raises(ValueError, match="params is missing"):
        transform.update(params, transform.init(params), value_fn=quadratic)
