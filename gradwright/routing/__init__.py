"""Every parameter of a model to one recipe, exactly once, by a plan that can be printed."""

from gradwright.routing.plan import Plan, build, plan, route
from gradwright.routing.roles import Roles, find_roles
from gradwright.routing.suggest import Option, Suggestion, suggest

__all__ = ["Option", "Plan", "Roles", "Suggestion", "build", "find_roles", "plan", "route", "suggest"]
