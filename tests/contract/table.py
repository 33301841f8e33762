"""The table: one row for each recipe and each form of it, gathered from the families."""

from tests.families import rows
from tests.families.kinds import Contract as Row

ROWS: tuple[Row, ...] = rows("CONTRACT")
