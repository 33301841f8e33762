"""Plans: every parameter once, by the first rule that matches, in groups and in a readable table."""

import copy
import pickle
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gradwright.core import chain
from gradwright.core.roles import ROLES
from gradwright.optimizer.recipe import recipe, registry
from gradwright.recipe.registry import specs
from gradwright.recipes import AdaLo, AdamW, Lion, Muon, cautious
from gradwright.routing import Plan, build, plan, route
from gradwright.routing.table import folded
from gradwright.transforms import Decay, Scale

HIDDEN = "matrix & !embedding & !head"


class Model(nn.Module):
    def __init__(self, depth=12, d=8):
        super().__init__()
        self.embed, self.positions = nn.Embedding(20, d), nn.Parameter(torch.zeros(1, 5, d))
        self.blocks = nn.ModuleList(
            nn.ModuleDict({"norm": nn.LayerNorm(d), "up": nn.Linear(d, 2 * d), "down": nn.Linear(2 * d, d)})
            for _ in range(depth)
        )
        self.out = nn.Linear(d, 20)

    def forward(self, x):
        x = self.embed(x) + self.positions
        for block in self.blocks:
            x = x + block["down"](block["up"](block["norm"](x)).relu())
        return self.out(x)


@pytest.fixture
def recipes():
    """A recipe without weight decay and one that decays by a fixed rate, gone after the test."""

    def Plain(lr=0.1):
        return chain(Scale(lr))

    def Shrinking(lr=0.1):
        return chain(Decay(0.1), Scale(lr))

    yield [recipe()(Plain), recipe()(Shrinking)]
    for name in ("Plain", "Shrinking"):
        del registry[name], specs[name]


def names(made, recipe=None):
    return [name for group in made.groups if recipe in (None, group["recipe"]) for name in group["param_names"]]


class TestGroups:
    def test_every_parameter_once_by_the_first_rule(self):
        model = Model(depth=1)
        made = plan(model, {HIDDEN: Muon.bind(lr=0.02), "*": AdamW.bind(lr=3e-4)})
        first, second = made.groups
        assert first["param_names"] == ["blocks.0.up.weight", "blocks.0.down.weight"]
        assert first["roles"] == ["matrix", "matrix"]
        assert (first["recipe"], first["lr"]) == ("Muon", 0.02)
        assert second["roles"][:2] == ["embedding stack table", "embedding matrix"]
        assert sorted(names(made)) == sorted(name for name, _ in model.named_parameters())
        tensors = dict(zip(names(made), first["params"] + second["params"]))
        assert all(param is tensors[name] for name, param in model.named_parameters())

    def test_order_of_rules_decides(self):
        made = plan(Model(depth=1), {"embedding": Lion, "matrix": Muon, "*": AdamW})
        assert names(made, "Lion") == ["positions", "embed.weight"]
        assert "out.weight" in names(made, "Muon")

    def test_selectors_on_names_and_modules(self):
        made = plan(Model(depth=2), {"name:blocks.0.*": Lion, "in:Linear & matrix": Muon, "*": AdamW})
        assert len(names(made, "Lion")) == 6
        assert names(made, "Muon") == ["blocks.1.up.weight", "blocks.1.down.weight", "out.weight"]

    def test_tied_parameters_once(self):
        model = Model(depth=1)
        model.out.weight = model.embed.weight
        made = plan(model, {"embedding": Lion, "*": AdamW})
        assert names(made).count("embed.weight") == 1
        assert "out.weight" not in names(made)
        assert "embedding head matrix tied" in str(made)

    def test_frozen_parameters_are_shown_and_left_out(self):
        model = Model(depth=1)
        model.embed.requires_grad_(False)
        made = plan(model, {"*": AdamW})
        assert "embed.weight" not in names(made)
        assert re.search(r"embed.weight +20 x 8 .* frozen", str(made))
        assert "frozen: requires_grad is False  1 parameter " in str(made)

    def test_groups_are_fresh(self):
        made = plan(Model(depth=1), {"*": AdamW})
        made.groups[0]["params"].clear()
        assert len(made.groups[0]["params"]) == 10

    def test_roles_head_and_example_inputs_are_passed_on(self):
        model = Model(depth=1)
        assert "head" in plan(model, {"*": AdamW}, head="blocks.0.up").groups[0]["roles"][4]
        assert plan(model, {"*": AdamW}, roles={"positions": "gain"}).groups[0]["roles"][0] == "gain stack"
        tokens = torch.zeros(1, 5, dtype=torch.long)
        assert "in the example run" in str(plan(model, {"*": AdamW}, example_inputs=tokens))

    @given(st.lists(st.sampled_from(ROLES), min_size=1, max_size=4, unique=True), st.booleans())
    def test_a_plan_that_is_made_splits_the_parameters(self, order, no_decay):
        model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 3))
        try:
            made = plan(model, {**dict.fromkeys(order, AdamW), "*": AdamW}, no_decay=no_decay)
        except ValueError as refused:
            assert "matches nothing" in str(refused)  # noqa: PT017
            return
        assert sorted(names(made)) == sorted(name for name, _ in model.named_parameters())


class TestNoDecay:
    def test_the_usual(self):
        made = plan(
            Model(depth=1), {"matrix": AdamW.bind(weight_decay=0.1), "*": Lion.bind(weight_decay=0.2)}, no_decay=True
        )
        matrices, tables, rest = made.groups
        assert matrices["weight_decay"] == 0.1
        assert tables["param_names"] == ["positions"]
        assert tables["weight_decay"] == 0.2
        assert rest["weight_decay"] == 0.0
        assert all("vector" in roles.split() for roles in rest["roles"])

    def test_a_selector_splits_a_rule_in_two(self):
        made = plan(Model(depth=1), {"*": AdamW}, no_decay="embedding")
        decays, spared = made.groups
        assert spared["param_names"] == ["positions", "embed.weight"]
        assert spared["weight_decay"] == 0.0
        assert "weight_decay" not in decays
        assert re.search(r"embed.weight .* weight_decay=0 ", str(made))
        assert "no decay: embedding" in str(made)

    @pytest.mark.parametrize("no_decay", [None, False])
    def test_off(self, no_decay):
        assert len(plan(Model(depth=1), {"*": AdamW}, no_decay=no_decay).groups) == 1

    def test_a_recipe_without_decay_beside_one_with(self, recipes):
        made = plan(Model(depth=1), {"matrix": AdamW, "*": recipes[0]}, no_decay=True)
        assert len(made.groups) == 2
        assert "weight_decay" not in made.groups[1]

    def test_it_is_refused_where_it_would_be_ignored(self, recipes):
        with pytest.raises(ValueError, match="no_decay=True has no effect: Plain has no weight_decay; leave it out"):
            plan(Model(depth=1), {"*": recipes[0]}, no_decay=True)
        with pytest.raises(ValueError, match="no_decay='convolution' matches no parameter"):
            plan(Model(depth=1), {"*": AdamW}, no_decay="convolution")
        with pytest.raises(TypeError, match=r"no_decay=3: give True for 'bias \| norm"):
            plan(Model(depth=1), {"*": AdamW}, no_decay=3)
        with pytest.raises(ValueError, match="unknown role 'biass'"):
            plan(Model(depth=1), {"*": AdamW}, no_decay="biass")

    def test_a_recipe_that_always_decays(self, recipes):
        with pytest.raises(ValueError, match="Shrinking decays weights but has no hyper-parameter weight_decay"):
            plan(Model(depth=1), {"*": recipes[1]}, no_decay=True)
        assert plan(Model(depth=1), {"*": recipes[1]})


class TestErrors:
    def rejects(self, rules, kind, pattern, model=None, **options):
        with pytest.raises(kind, match=pattern):
            plan(Model(depth=1) if model is None else model, rules, **options)

    def test_unmatched_parameters(self):
        first = r"no rule matches positions \(embedding stack table\), "
        self.rejects({"matrix": Muon}, ValueError, first + r'.* and 1 more; end .* {"\*": AdamW}')
        three = r"no rule matches blocks.0.norm.bias \(bias norm vector\), [^,]*, [^,]*, out.bias \(bias vector\); end"
        self.rejects({"!bias": Lion}, ValueError, three)

    def test_a_rule_without_candidates(self):
        says = r"rule 'convolution' -> Muon\(\) matches nothing: the roles in this model are bias embedding"
        self.rejects({"convolution": Muon, "*": AdamW}, ValueError, says)

    def test_a_rule_whose_candidates_are_taken(self):
        rules = {"embedding": Lion, "matrix": Muon, "head": AdamW.bind(lr=1e-3), "*": AdamW}
        says = r"rule 'head' -> AdamW\(lr=0.001\) matches nothing: .* already taken by 'matrix' \(Muon\)"
        self.rejects(rules, ValueError, says)

    def test_a_rule_whose_candidates_are_frozen(self):
        model = Model(depth=1)
        model.embed.requires_grad_(False)
        self.rejects({"in:Embedding": Lion, "*": AdamW}, ValueError, "is frozen, such as embed.weight", model)
        self.rejects({"*": AdamW}, ValueError, "no trainable parameter: all are frozen", model.requires_grad_(False))
        self.rejects({"*": AdamW}, ValueError, "no trainable parameter$", nn.Identity())

    def test_rules_of_the_wrong_kind(self):
        optimizer = torch.optim.SGD(Model(depth=1).parameters(), lr=1)
        self.rejects({}, ValueError, "rules={} gives no parameter a recipe")
        self.rejects([("*", AdamW)], TypeError, "give a dict from selectors to recipes")
        self.rejects({1: AdamW}, TypeError, "the selector 1 is no text")
        self.rejects(
            {"*": torch.optim.AdamW}, TypeError, r"torch.*AdamW, which cannot share an optimizer; give gradwright.AdamW"
        )
        self.rejects({"*": torch.optim.LBFGS}, TypeError, "give a recipe of gradwright")
        self.rejects({"*": optimizer}, TypeError, r"already holds its parameters; give SGD.bind\(lr=...\)")
        self.rejects({"*": "AdamW"}, TypeError, r"is the text 'AdamW'; write AdamW.bind")
        self.rejects({"*": "adamw"}, TypeError, "did you mean .*'AdamW'")
        self.rejects({"*": 1e-3}, TypeError, "is 0.001; give a recipe")
        self.rejects({"matrx": AdamW}, ValueError, "did you mean 'matrix'")
        self.rejects({"*": AdamW}, TypeError, "routing needs the module itself", [torch.zeros(2)])


class TestOptimizer:
    def test_one_optimizer_with_several_recipes_descends(self):
        torch.manual_seed(0)
        model, tokens = Model(depth=1), torch.randint(20, (4, 5))
        optimizer = route(model, {HIDDEN: Muon.bind(lr=0.02), "*": AdamW.bind(lr=1e-2)}, no_decay=True, engine="eager")
        assert isinstance(optimizer.plan, Plan)
        losses = []
        for _ in range(5):
            loss = nn.functional.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < losses[0]
        assert [group["recipe"] for group in optimizer.param_groups] == ["Muon", "AdamW", "AdamW"]

    def test_names_do_not_change_with_wrappers(self):
        rules = {HIDDEN: Muon, "name:out.*": Lion, "*": AdamW}
        assert plan(nn.DataParallel(Model()), rules) == plan(Model(), rules)

    def test_build_serves_the_rest_with_adamw(self):
        model = Model(depth=1)
        rules = build("Muon", model, lr=0.01).plan.rules
        assert [(rule.text, str(rule)) for rule in rules] == [(Muon.only, "Muon(lr=0.01)"), ("*", "AdamW()")]
        assert len(build(cautious(Lion), model).param_groups) == 1

    def test_build_without_a_rest_or_without_candidates(self):
        hidden = Model(depth=1).blocks
        hidden.requires_grad_(False)
        hidden[0]["up"].weight.requires_grad_(True)
        assert [group["recipe"] for group in build(Muon, hidden).param_groups] == ["Muon"]
        with pytest.raises(ValueError, match="matches nothing"):
            build(Muon, nn.LayerNorm(4))
        with pytest.raises(ValueError, match="no recipe called 'Muom'"):
            build("Muom", hidden)
        with pytest.raises(TypeError, match="no hyper-parameter 'speed'"):
            build("Muon", hidden, speed=3)


class TestTable:
    def test_columns(self):
        text = str(plan(Model(), {HIDDEN: Muon.bind(lr=0.02), "*": AdamW.bind(lr=3e-4)}, no_decay=True))
        lines = text.split("\n")
        assert lines[0].startswith(f"{HIDDEN} -> Muon(lr=0.02)  24 parameters  3,072 numbers")
        header = next(line for line in lines if line.startswith("parameter"))
        assert header.split() == ["parameter", "shape", "roles", "recipe", "knobs", "why"]
        row = next(line for line in lines if ".up.weight" in line)
        cells = [row[header.index(name) :].split("  ")[0].strip() for name in header.split()]
        assert cells == ["blocks.{0..11}.up.weight (12)", "16 x 8", "matrix", "Muon", "lr=0.02", "weight of Linear"]
        assert "head: out.weight" in lines
        assert len(lines) < 20

    def test_where_no_head_is_found_the_table_says_why(self):
        text = str(plan(nn.TransformerEncoderLayer(8, 2, 16), {"*": AdamW}))
        assert "head: none found; no linear layer or convolution of its own" in text

    def test_pickles_without_its_parameters(self):
        made = plan(Model(), {HIDDEN: Muon.bind(lr=0.02), "*": AdaLo})
        size = len(pickle.dumps(made))
        again = pickle.loads(pickle.dumps(made))
        assert again == made
        assert str(again) == str(made) == repr(made)
        assert size == len(pickle.dumps(plan(Model(d=8), {HIDDEN: Muon.bind(lr=0.02), "*": AdaLo})))
        with pytest.raises(ValueError, match="this plan was unpickled"):
            again.groups  # noqa: B018
        optimizer = copy.deepcopy(made.optimizer())
        assert str(optimizer.plan) == str(made)

    @pytest.mark.parametrize(
        ("rows", "expected"),
        [
            (["a.0.w", "a.1.w", "a.2.w"], {"a.{0..2}.w": 3}),
            (["a.0.w", "a.1.w"], {"a.{0,1}.w": 2}),
            (["a.0.w", "a.2.w", "a.3.w", "a.4.w"], {"a.{0,2..4}.w": 4}),
            (["a.7.w"], {"a.7.w": 1}),
            (["w"], {"w": 1}),
            (["0.weight", "2.weight"], {"{0,2}.weight": 2}),
            (["a.0.e.0", "a.0.e.1", "a.1.e.0", "a.1.e.1"], {"a.{0,1}.e.{0,1}": 4}),
            (["a.0.e.0", "a.0.e.1", "a.1.e.0"], {"a.{0,1}.e.0": 2, "a.0.e.1": 1}),
            (["a.w0", "a.w1"], {"a.w0": 1, "a.w1": 1}),
            (["{x}.0.w", "{x}.1.w"], {"{x}.{0,1}.w": 2}),
        ],
        ids=str,
    )
    def test_folding(self, rows, expected):
        assert {name: count for name, count, _ in folded((row, "") for row in rows)} == expected

    @given(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1))
    def test_folding_counts_every_row_once(self, indices):
        rows = folded((f"a.{i}.b.{j}.w", "") for i, j in sorted(indices))
        assert sum(count for _, count, _ in rows) == len(indices)

    def test_rows_that_differ_in_anything_stay_apart(self):
        assert len(folded([("a.0.w", "matrix"), ("a.1.w", "head")])) == 2
