"""A part whose library is not installed says what installs it, and the package itself needs none of them."""

import pytest

from tests.test_import import fresh

PARTS = {"lightning": ("lightning", "pytorch_lightning"), "transformers": ("transformers",), "timm": ("timm",)}


def test_the_package_needs_no_trainer():
    code = "import sys, gradwright.integrations; print([name for name in %r if name in sys.modules])"
    assert fresh(code % (("lightning", "pytorch_lightning", "transformers", "timm"),)).stdout.strip() == "[]"


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_library_is_named_with_what_installs_it(part):
    hidden = "; ".join(f"sys.modules[{name!r}] = None" for name in PARTS[part])
    said = fresh(f"import sys; {hidden}; import gradwright.integrations.{part}").stderr
    line = f'gradwright.integrations.{part} needs {part}: pip install "gradwright[{part}]"'
    assert f"ModuleNotFoundError: {line}" in said
