"""What is kept of a comparison, and how it is written down."""

from gradwright.study.record.store import from_json, to_json
from gradwright.study.record.study import RunRecord, Study
from gradwright.study.record.tables import from_csv

__all__ = ["RunRecord", "Study", "from_csv", "from_json", "to_json"]
