"""Real tasks, the comparison runner and the report: which optimizer does best here, and how sure is that?"""

try:
    import scipy
    import sklearn
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f'gradwright.study needs {missing.name}: pip install "gradwright[study]"', name=missing.name
    ) from None

from gradwright.study import tasks
from gradwright.study.compare import compare
from gradwright.study.find_lr import RateSearch, find_lr
from gradwright.study.record import RunRecord, Study, from_csv, from_json, to_json
from gradwright.study.references import Reference, Regret, reference, regrets
from gradwright.study.report import save, show
from gradwright.study.search_space import SearchSpace, search_space
from gradwright.study.tasks.task import Metric, Session, Task

__all__ = [
    "Metric",
    "RateSearch",
    "Reference",
    "Regret",
    "RunRecord",
    "SearchSpace",
    "Session",
    "Study",
    "Task",
    "compare",
    "find_lr",
    "from_csv",
    "from_json",
    "reference",
    "regrets",
    "save",
    "search_space",
    "show",
    "tasks",
    "to_json",
]
