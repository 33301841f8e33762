"""The graph: equal values are one node, and nothing is simplified that would change a bit."""

import math

from gradwright.engine.graph.graph import Graph, joined
from gradwright.engine.operand import COLUMN, ELEMENT, HOST, ROW, SHARED, TENSOR


def filled():
    graph = Graph()
    return graph, graph.input("grad", ELEMENT), graph.input("param", ELEMENT), graph.input("lr", HOST)


def test_equal_values_are_one_node():
    graph, g, p, _ = filled()
    assert graph.apply("sub", g, p) == graph.apply("sub", g, p)
    assert graph.apply("sub", g, p) != graph.apply("sub", p, g)
    assert graph.input("grad", ELEMENT) == g
    assert graph.constant(2.0) == graph.constant(2)


def test_the_order_of_operands_matters_only_where_it_changes_the_answer():
    graph, g, p, _ = filled()
    for op in ("add", "mul", "eq", "and"):
        assert graph.apply(op, g, p) == graph.apply(op, p, g)
    for op in ("sub", "div", "gt", "maximum"):
        assert graph.apply(op, g, p) != graph.apply(op, p, g)


def test_sums_are_not_reassociated():
    graph, g, p, lr = filled()
    assert graph.apply("add", graph.apply("add", g, p), lr) != graph.apply("add", g, graph.apply("add", p, lr))


def test_zeros_of_both_signs_and_nan_are_constants_of_their_own():
    graph = Graph()
    assert graph.constant(0.0) != graph.constant(-0.0)
    assert graph.constant(math.nan) == graph.constant(math.nan)


def test_division_by_a_host_number_becomes_a_product_with_its_reciprocal():
    graph, g, p, lr = filled()
    product = graph.nodes[graph.apply("div", g, lr)]
    assert product.op == "mul"
    assert product.args[0] == g
    reciprocal = graph.nodes[product.args[1]]
    assert (reciprocal.op, reciprocal.kind) == ("div", HOST)
    assert graph.nodes[graph.apply("div", g, p)].op == "div"
    assert graph.nodes[graph.apply("div", lr, lr)].op == "div"


def test_an_operation_lives_where_its_largest_argument_does():
    graph, g, _, lr = filled()
    loss, norm = graph.input("loss", SHARED), graph.reduce("sum", g, TENSOR)
    for args, kind in (((lr, lr), HOST), ((lr, loss), SHARED), ((loss, norm), TENSOR), ((norm, g), ELEMENT)):
        assert graph.nodes[graph.apply("add", *args)].kind == kind


def test_a_row_and_a_column_make_a_matrix():
    assert joined((ROW, ROW, TENSOR)) == ROW
    assert joined((COLUMN, HOST)) == COLUMN
    assert joined((ROW, COLUMN)) == ELEMENT


def test_needed_leaves_out_what_no_output_asks_for():
    graph, g, p, lr = filled()
    wanted = graph.apply("mul", graph.apply("add", g, lr), lr)
    graph.apply("sqrt", p)
    found = graph.needed([wanted])
    assert p not in found
    assert {g, lr, wanted} <= set(found)
    assert found == sorted(found)
    assert graph.needed([]) == []
