"""Every recipe with the settings at which it is compared with its reference, gathered from the families."""

from tests.families import rows
from tests.families.kinds import Parity as Row

ROWS: tuple[Row, ...] = rows("PARITY")
