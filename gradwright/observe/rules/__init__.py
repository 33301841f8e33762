"""Rules: each looks at a run and names one cause, or nothing."""

from gradwright.observe.rules import data, evaluation, gradients, layers, learning_rate, optimizer, wiring
from gradwright.observe.rules.rule import RULES, Rule, rule

__all__ = ["RULES", "Rule", "data", "evaluation", "gradients", "layers", "learning_rate", "optimizer", "rule", "wiring"]
