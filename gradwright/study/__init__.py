"""Real tasks, the comparison runner and the report: which optimizer does best here, and how sure is that?"""

from gradwright.study import tasks
from gradwright.study.compare import compare
from gradwright.study.record import RunRecord, Study
from gradwright.study.task import Metric, Session, Task

__all__ = ["Metric", "RunRecord", "Session", "Study", "Task", "compare", "tasks"]
