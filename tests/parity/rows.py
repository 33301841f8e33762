"""Every recipe with the settings at which it is compared with its reference, gathered from the families."""

from tests.families import rows
from tests.families.kinds import Parity as Row

ROWS: tuple[Row, ...] = rows("PARITY")

_ONE_EACH = {row.recipe.made_by[0] if row.recipe.made_by else row.recipe: row for row in reversed(ROWS)}
FAST: tuple[Row, ...] = tuple(_ONE_EACH.values())[::-1]
"""One row for each recipe that no combinator made, and one for each combinator."""
