"""timm's optimizers without the rest of timm, which needs torchvision and is slow to import."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

import pytest


def timm_optimizer(module: str, name: str) -> Any:
    """The class ``name`` of ``timm.optim.<module>``; skips the test where timm is not installed."""
    spec = importlib.util.find_spec("timm")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("timm is not installed")
    before = {key: value for key, value in sys.modules.items() if key == "timm" or key.startswith("timm.")}
    root = next(iter(spec.submodule_search_locations))
    try:
        for package, folder in (("timm", root), ("timm.optim", f"{root}/optim")):
            bare = ModuleType(package)
            bare.__path__ = [folder]
            sys.modules[package] = bare
        return getattr(importlib.import_module(f"timm.optim.{module}"), name)
    finally:
        for key in [key for key in sys.modules if key == "timm" or key.startswith("timm.")]:
            del sys.modules[key]
        sys.modules.update(before)
