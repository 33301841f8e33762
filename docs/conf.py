"""How the pages become a site: `make docs`."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / "extensions")]

import gradwright  # noqa: E402

project = "Gradwright"
author = "The Gradwright authors"
copyright = "2026, the Gradwright authors; MIT licence"
release = version = gradwright.__version__
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "docstrings",
    "links",
    "reference",
]
root_doc = "index"
exclude_patterns = ["extensions", "gallery/*.py", "gallery/*.ipynb", "gallery/*.zip", "**/sg_execution_times.rst"]

myst_heading_anchors = 3
suppress_warnings = ["config.cache"]  # sorting and naming functions of the gallery cannot be stored

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Class attributes", "Attributes"), ("Deviations", "Notes")]

html_theme = "furo"
html_title = f"Gradwright {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"sidebar_hide_name": False}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r".*\.py",
    "ignore_pattern": r"(__init__|nosadam|sharded|watched_runs|with_\w+)\.py",  # on pages, or needs more
    "reset_argv": "pictures.quick",
    "image_scrapers": ("pictures.scraped",),
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 1e9,
    "write_computation_times": False,
    "first_notebook_cell": None,
}
