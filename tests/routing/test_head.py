"""The output layer: by structure, by name, and by one forward pass."""

import pytest
import torch
from torch import nn

from gradwright.routing import find_roles
from tests.routing.models import GPT, Block, Net, ViT, having, words


class TestHead:
    """The output layer."""

    def test_reason_in_words(self):
        reason = find_roles(nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 10)))["1.weight"].reason
        assert reason == "weight of the last Linear: its 10 outputs are the model's output"

    def test_registered_first(self):
        model = Net(out=nn.Linear(8, 10), embed=nn.Linear(3, 8), blocks=nn.Sequential(Block(8), Block(8)))
        assert having("head", model) == {"out.weight"}

    def test_siblings(self):
        agent = Net(body=nn.Sequential(nn.Linear(6, 32), nn.Tanh()), policy=nn.Linear(32, 4), value=nn.Linear(32, 1))
        assert having("head", agent) == {"policy.weight", "value.weight"}
        critic = Net(
            actor=nn.Sequential(nn.Linear(6, 32), nn.Linear(32, 4)),
            critic=nn.Sequential(nn.Linear(6, 32), nn.Linear(32, 1)),
        )
        assert having("head", critic) == {"actor.1.weight", "critic.1.weight"}

    def test_siblings_in_modules_of_their_own(self):
        heads = {name: Net(norm=nn.LayerNorm(8), linear=nn.Linear(8, 10)) for name in ("head", "distilled")}
        assert having("head", Net(body=nn.Linear(4, 8), **heads)) == {"head.linear.weight", "distilled.linear.weight"}

    def test_hidden_layers_directly_on_the_model_are_no_siblings(self):
        attention = Net(qkv=nn.Linear(8, 24), proj=nn.Linear(8, 8), out=nn.Linear(8, 10))
        assert having("head", attention) == {"out.weight"}
        autoencoder = Net(
            encode=nn.Linear(64, 16),
            mean=nn.Linear(16, 4),
            spread=nn.Linear(16, 4),
            decode=nn.Linear(4, 16),
            out=nn.Linear(16, 64),
        )
        assert having("head", autoencoder) == {"out.weight"}
        towers = Net(user=nn.Linear(30, 32), item=nn.Linear(50, 16), out=nn.Linear(48, 1))
        assert having("head", towers) == {"out.weight"}

    def test_blocks_of_different_widths_end_in_a_head(self):
        dense = [Net(linear=nn.Linear(a, b), act=nn.ReLU()) for a, b in ((20, 8), (8, 8), (8, 3))]
        assert having("head", nn.Sequential(*dense)) == {"2.linear.weight"}

    def test_inside_a_training_module(self):
        assert having("head", Net(model=GPT(tied=False))) == {"model.unembed.weight"}

    def test_output_embeddings_of_hugging_face(self):
        model = Net(out=nn.Linear(8, 20), late=nn.Linear(6, 5))
        model.get_output_embeddings = lambda: model.out
        assert having("head", model) == {"out.weight"}
        model.get_output_embeddings = lambda: None
        assert having("head", model) == {"late.weight"}

    @pytest.mark.parametrize("name", [True, False], ids=["name", "module"])
    def test_named(self, name):
        model = GPT(tied=False)
        assert having("head", model, head="blocks.1.up" if name else model.blocks[1].up) == {"blocks.1.up.weight"}

    def test_named_container_stands_for_its_last_layer(self):
        model = Net(
            body=nn.Linear(4, 8), top=nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)), late=nn.Linear(2, 2)
        )
        assert having("head", model, head="top") == {"top.2.weight"}

    def test_several_none_and_bare(self):
        model = Net(a=nn.Linear(4, 8), b=nn.Linear(8, 2), bare=Net(w=(8, 3)))
        assert having("head", model, head=["a", model.b]) == {"a.weight", "b.weight"}
        assert having("head", model, head=None) == set()
        assert having("head", model, head="bare") == {"bare.w"}

    def test_wrong_names_and_modules(self):
        model = GPT()
        with pytest.raises(ValueError, match="head='unembd' is no module of the model: did you mean 'unembed'"):
            find_roles(model, head="unembd")
        with pytest.raises(ValueError, match="head='final': that LayerNorm holds no weight"):
            find_roles(model, head="final")
        with pytest.raises(ValueError, match="not a module of this model"):
            find_roles(model, head=nn.Linear(2, 2))
        with pytest.raises(TypeError, match="head=3"):
            find_roles(model, head=[3])


class TestExampleInputs:
    """One forward pass settles what structure cannot."""

    def test_heads(self):
        tokens = torch.zeros(2, 5, dtype=torch.long)
        for tied in (True, False):
            assert having("head", GPT(tied), example_inputs=tokens) == having("head", GPT(tied))
        assert having("head", ViT(), example_inputs=torch.zeros(2, 3, 8, 8)) == {"fc.weight"}
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        assert having("head", layer, example_inputs=torch.zeros(2, 5, 8)) == set()

    def test_two_heads_behind_functions(self):
        class Agent(nn.Module):
            def __init__(self):
                super().__init__()
                self.policy, self.value, self.body = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(3, 8)

            def forward(self, x, *, scale):
                x = self.body(x).relu()
                return {"policy": (scale * self.policy(x)).log_softmax(-1), "value": self.value(x).mean(-1)}

        inputs = {"x": torch.zeros(2, 3), "scale": 2.0}
        assert having("head", Agent(), example_inputs=inputs) == {"policy.weight", "value.weight"}

    def test_a_table_used_as_output_layer(self):
        class Tied(nn.Module):
            def __init__(self):
                super().__init__()
                self.tokens, self.mix = nn.Parameter(torch.zeros(9, 4)), nn.Parameter(torch.zeros(4, 4))

            def forward(self, x):
                return self.tokens[x] @ self.mix @ self.tokens.T

        found = words(Tied(), example_inputs=torch.zeros(2, 3, dtype=torch.long))
        assert found == {"tokens": "embedding head matrix table", "mix": "matrix"}

    def test_square_table_and_square_matrix(self):
        class Mixer(nn.Module):
            def __init__(self):
                super().__init__()
                self.out, self.added, self.multiplied = (
                    nn.Linear(4, 2),
                    *(nn.Parameter(torch.zeros(4, 4)) for _ in "ab"),
                )

            def forward(self, x):
                return self.out((x + self.added.to(x.dtype)) @ self.multiplied.mT.contiguous())

        found = words(Mixer(), example_inputs=(torch.zeros(1, 4, 4),))
        assert found["added"] == "embedding matrix table"
        assert found["multiplied"] == "matrix"

    def test_learned_queries_stay_a_table(self):
        class Pool(nn.Module):
            def __init__(self):
                super().__init__()
                self.queries, self.key, self.out = nn.Parameter(torch.zeros(3, 4)), nn.Linear(4, 4), nn.Linear(4, 2)

            def forward(self, x):
                return self.out(torch.softmax(self.key(self.queries) @ x.mT, -1) @ x)

        assert words(Pool(), example_inputs=torch.zeros(2, 5, 4))["queries"] == "embedding matrix table"

    def test_it_leaves_the_model_alone(self):
        model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 2))
        model[1].eval()
        before, state = torch.random.get_rng_state(), {k: v.clone() for k, v in model.state_dict().items()}
        assert having("head", model, example_inputs=torch.ones(3, 4)) == {"3.weight"}
        assert [module.training for module in model] == [True, False, True, True]
        assert torch.equal(before, torch.random.get_rng_state())
        assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())

    def test_an_output_that_shows_nothing(self):
        class Silent(nn.Linear):
            def forward(self, x):
                return None

        with pytest.raises(ValueError, match="example_inputs: the output, a NoneType, holds no tensor"):
            find_roles(Silent(2, 2), example_inputs=torch.zeros(1, 2))

    def test_parameters_that_are_not_met(self):
        class Gathered(nn.Linear):
            def forward(self, x):
                return x + 1

        with pytest.raises(ValueError, match="met none of the parameters; route the model before it is sharded"):
            find_roles(Gathered(2, 2), example_inputs=torch.zeros(1, 2))
