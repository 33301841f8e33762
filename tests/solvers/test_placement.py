"""Products at one point write it into the module once, and again where anything else was put there meanwhile."""

import pytest
import torch

from gradwright.solvers.curvature import DoubleBackward, GaussNewton
from gradwright.solvers.problem.layout import layout_of
from gradwright.solvers.problem.objective import Objective
from gradwright.solvers.problem.placement import Placement
from gradwright.solvers.problem.sources import source_of
from tests.solvers.problems import F64


class Place:
    """A cubic of a module's weights, whose Hessian is known at every point."""

    def __init__(self, curvature):
        torch.manual_seed(0)
        self.net = torch.nn.Linear(3, 2, dtype=F64)
        layout, tensors = layout_of(self.net)
        source = source_of(self.closure, self.net, layout, tensors, None)
        self.objective = Objective(source, curvature)
        self.x = torch.cat([p.detach().reshape(-1) for p in tensors])

    def closure(self):
        outputs = torch.cat([p.reshape(-1) for p in self.net.parameters()]) ** 3 / 6
        return outputs.sum(), outputs

    def at(self, x):
        point = self.objective.at(x)
        _ = point.gradient
        return point


@pytest.fixture
def writes(monkeypatch):
    seen = []
    put = Placement.put
    monkeypatch.setattr(Placement, "put", lambda self: (seen.append(self), put(self))[1])
    return seen


def test_products_at_one_point_write_it_once(writes):
    place = Place(DoubleBackward())
    point = place.at(place.x)
    hessian, v = point.hessian, torch.ones_like(place.x)
    count = len(writes)
    for _ in range(5):
        torch.testing.assert_close(hessian @ v, place.x)
    assert len(writes) == count


def another_point(place):
    place.at(place.x + 1.0)


def another_solver(place):
    Place(DoubleBackward()).at(place.x + 1.0)
    other = Placement(place.objective.source.layout, list(place.net.parameters()), place.x + 2.0)
    other.put()


def by_hand(place):
    with torch.no_grad():
        place.net.weight.add_(3.0)


@pytest.mark.parametrize("meanwhile", [another_point, another_solver, by_hand])
@pytest.mark.parametrize("curvature", [DoubleBackward(), GaussNewton()], ids=["hessian", "gauss-newton"])
def test_products_are_right_whatever_was_put_there_meanwhile(curvature, meanwhile):
    place = Place(curvature)
    v = torch.linspace(1, 2, len(place.x), dtype=F64)
    expected = place.at(place.x).hessian @ v
    point = place.at(place.x)
    for _ in range(2):
        meanwhile(place)
        torch.testing.assert_close(point.hessian @ v, expected, rtol=0, atol=0)
