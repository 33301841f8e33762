"""Where the numbers of a run go: to a callable, to TensorBoard, to a file of JSON lines."""

from gradwright.observe.sinks.flat import Callback, flat
from gradwright.observe.sinks.json_lines import JsonLines
from gradwright.observe.sinks.read import read
from gradwright.observe.sinks.tensorboard import TensorBoard

__all__ = ["Callback", "JsonLines", "TensorBoard", "flat", "read"]
