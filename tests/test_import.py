"""What ``import gradwright`` offers and what it costs."""

import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import gradwright

EXTRAS = ("sklearn", "scipy", "matplotlib", "pandas", "rich", "typer", "jinja2", "diffusers", "optax", "jax")
SHADOWED = {"recipe", "cli"}
"""A package called like the decorator that comes from it, and the command line."""


def fresh(code: str, *flags: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """What a new interpreter says to some code."""
    root = str(Path(gradwright.__file__).parents[1])
    env = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1", **env}
    return subprocess.run([sys.executable, *flags, "-c", code], env=env, text=True, capture_output=True, check=False)


def test_every_package_is_an_attribute_that_is_imported_when_asked_for():
    rooms = {found.name for found in pkgutil.iter_modules(gradwright.__path__)} - SHADOWED - {"__main__"}
    code = f"""
import sys, gradwright
assert {rooms!r} <= set(dir(gradwright)), {rooms!r} - set(dir(gradwright))
late = [name for name in ("losses", "solvers", "study", "linear_model", "diffusion", "schedules", "calibration")]
assert not [name for name in late if "gradwright." + name in sys.modules]
assert gradwright.losses.gce and gradwright.schedules.Cosine and gradwright.solvers.minimize
for name in {sorted(rooms - {"study", "linear_model"})!r}:
    assert getattr(gradwright, name).__name__ == "gradwright." + name
"""
    assert fresh(code).stderr == ""


def test_importing_it_needs_torch_and_numpy_alone():
    found = fresh(f"import sys, gradwright; print([name for name in {EXTRAS!r} if name in sys.modules])")
    assert found.stdout.strip() == "[]", found.stderr


@pytest.mark.parametrize("room", ["study", "linear_model"])
@pytest.mark.parametrize(
    "way", ["import gradwright; gradwright.{}", "from gradwright import {}", "import gradwright.{}"]
)
def test_a_missing_extra_says_what_installs_it(room, way):
    said = fresh(f"import sys; sys.modules['sklearn'] = None; {way.format(room)}").stderr
    assert f'ModuleNotFoundError: gradwright.{room} needs sklearn: pip install "gradwright[study]"' in said


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(AttributeError, match="gradwright has no 'AdmaW'; did you mean 'AdamW'"):
        gradwright.AdmaW  # noqa: B018
    with pytest.raises(AttributeError, match="did you mean 'schedules'"):
        gradwright.schedule  # noqa: B018
    with pytest.raises(AttributeError, match=r"'qqqqq'; dir\(gradwright\) lists what there is"):
        gradwright.qqqqq  # noqa: B018


@pytest.mark.slow
def test_it_adds_a_fifth_of_a_second_to_torch(tmp_path):
    """The time of its own modules and the standard library's, the best of a few; bytecode is there."""
    code = "import time, torch; begin = time.process_time(); import gradwright; print(time.process_time() - begin)"
    written = {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    times = [float(fresh(code, **written).stdout) for _ in range(6)]
    assert min(times[1:]) < 0.2
