"""The README's table of recipes is the library's own, and its commands exist."""

from pathlib import Path

import gradwright
from gradwright.describe import combinators_table, readme_table

ROOT = Path(gradwright.__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_table_of_recipes_is_up_to_date():
    # gradwright.describe.readme_table() and combinators_table() are what belongs there
    assert readme_table() in README
    assert combinators_table() in README


def test_the_commands_at_the_top_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    for command in ("run", "test"):
        assert f"make {command} " in README
        assert f"\n{command}:" in makefile
