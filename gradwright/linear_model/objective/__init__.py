"""The smooth part of what is minimised, with its derivatives, in coordinates that are well scaled."""

from gradwright.linear_model.objective.design import Design
from gradwright.linear_model.objective.objective import Objective
from gradwright.linear_model.objective.problem import Problem
