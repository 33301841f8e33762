"""Roles come from the structure of a model: the traps that name substrings and shapes fall into."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from gradwright.core.roles import FORMS, ROLES
from gradwright.routing import find_roles
from tests.routing.models import GPT, Block, Conv1D, Experts, Net, RMSNorm, ViT, having, hidden, words


def test_decoder_layer_and_a_classifier_called_fc():
    model = Net(layer=nn.TransformerDecoderLayer(8, 2, 16), fc=nn.Linear(8, 5))
    assert having("head", model) == {"fc.weight"}
    assert hidden(model) == {
        "layer.self_attn.in_proj_weight",
        "layer.self_attn.out_proj.weight",
        "layer.multihead_attn.in_proj_weight",
        "layer.multihead_attn.out_proj.weight",
        "layer.linear1.weight",
        "layer.linear2.weight",
    }
    assert find_roles(model)["layer.multihead_attn.out_proj.weight"].module == "Linear"


def test_a_layer_called_head_in_the_middle_is_no_head():
    model = nn.Sequential()
    for name, layer in {"head": nn.Linear(4, 8), "act": nn.ReLU(), "body": nn.Linear(8, 3)}.items():
        model.add_module(name, layer)
    assert having("head", model) == {"body.weight"}


@pytest.mark.parametrize("depth", [1, 3])
def test_a_transformer_without_output_layer_has_no_head(depth):
    model = nn.Transformer(8, 2, depth, depth, 16, batch_first=True)
    assert having("head", model) == set()
    assert len(hidden(model)) == depth * (4 + 6)


@pytest.mark.parametrize("depth", [1, 3])
def test_backbones_that_end_in_a_norm_have_no_head(depth):
    model = Net(patch=nn.Conv2d(3, 8, 4), blocks=nn.Sequential(*(Block(8) for _ in range(depth))), norm=RMSNorm(8))
    assert having("head", model) == set()


def test_tied_gpt():
    found = find_roles(GPT(tied=True))
    assert found["tokens.weight"].roles == {"matrix", "embedding", "head", "tied"}
    assert "unembed.weight" in found["tokens.weight"].reason
    assert "unembed.weight" not in found
    assert having("head", GPT(tied=True)) == {"tokens.weight"}


def test_untied_gpt():
    assert words(GPT(tied=False))["tokens.weight"] == "embedding matrix"
    assert having("head", GPT(tied=False)) == {"unembed.weight"}


@pytest.mark.parametrize("tied", [True, False])
def test_position_tables_are_never_hidden_matrices(tied):
    names = {f"blocks.{i}.{layer}.weight" for i in range(2) for layer in ("qkv", "proj", "up", "down")}
    assert hidden(GPT(tied=tied)) == names
    assert words(GPT(tied=tied))["positions"] == "embedding matrix table"


def test_vit():
    found = words(ViT())
    assert found["cls"] == "vector"
    assert found["positions"] == "embedding stack table"
    assert found["patch.weight"] == "convolution"
    assert found["fc.weight"] == "head matrix"
    assert not any("head" in text for name, text in found.items() if name != "fc.weight")


def test_two_embeddings_that_share_a_table_are_tied_but_no_head():
    model = Net(source=nn.Embedding(9, 4), target=nn.Embedding(9, 4), up=nn.Linear(4, 8), out=nn.Linear(8, 9))
    model.target.weight = model.source.weight
    assert words(model)["source.weight"] == "embedding matrix tied"
    assert having("head", model) == {"out.weight"}


def test_a_module_used_twice_is_one_module():
    block = nn.Linear(4, 4)
    found = find_roles(nn.Sequential(block, nn.ReLU(), block, nn.Linear(4, 2)))
    assert found["0.weight"].roles == {"matrix"}
    assert found["0.weight"].reason == "weight of Linear, which is also 2"


@pytest.mark.parametrize("layer", [nn.LSTM(4, 8), nn.GRU(4, 8), nn.RNN(4, 8), nn.LSTMCell(4, 8)], ids=repr)
def test_recurrent(layer):
    found = words(Net(embed=nn.Embedding(5, 4), rnn=layer, out=nn.Linear(8, 5)))
    assert {text for name, text in found.items() if "rnn.weight" in name} == {"matrix recurrent"}
    assert {text for name, text in found.items() if "rnn.bias" in name} == {"bias vector"}
    assert found["out.weight"] == "head matrix"


def test_a_recurrent_layer_after_the_last_linear():
    assert having("head", Net(project=nn.Linear(3, 8), rnn=nn.LSTM(8, 8))) == set()


def test_attention_with_sizes_of_its_own():
    attention = nn.MultiheadAttention(8, 2, kdim=4, vdim=6, add_bias_kv=True)
    found = words(attention)
    assert found["q_proj_weight"] == found["k_proj_weight"] == found["v_proj_weight"] == "matrix"
    assert found["bias_k"] == found["bias_v"] == "vector"
    assert words(nn.MultiheadAttention(8, 2))["in_proj_weight"] == "fused matrix"


def test_convolutions():
    model = Net(
        stem=nn.Conv2d(3, 8, 3),
        deep=nn.Conv2d(8, 8, 3, groups=8),
        grouped=nn.Conv2d(8, 8, 3, groups=2),
        bn=nn.BatchNorm2d(8),
        act=nn.PReLU(8),
        line=nn.Conv1d(8, 4, 3),
        up=nn.ConvTranspose3d(4, 2, 3),
        flat=nn.Flatten(),
        fc=nn.Linear(32, 10),
    )
    found = words(model)
    assert (
        found["stem.weight"] == found["grouped.weight"] == found["line.weight"] == found["up.weight"] == "convolution"
    )
    assert found["deep.weight"] == "convolution depthwise"
    assert found["bn.weight"] == "gain norm vector"
    assert found["bn.bias"] == "bias norm vector"
    assert found["act.weight"] == "vector"
    assert found["fc.weight"] == "head matrix"
    assert words(nn.Conv2d(1, 4, 3))["weight"] == "convolution head", "one channel in one group is not depthwise"


def test_a_convolution_is_the_head_of_a_convolutional_net():
    unet = Net(
        down=nn.Conv2d(3, 8, 3), inner=nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8)), out=nn.Conv2d(8, 3, 1)
    )
    assert having("head", unet) == {"out.weight"}


def test_flattened_convolutions_are_no_heads():
    lenet = Net(
        c1=nn.Conv2d(1, 6, 5),
        c2=nn.Conv2d(6, 16, 5),
        f1=nn.Linear(400, 120),
        f2=nn.Linear(120, 84),
        f3=nn.Linear(84, 16),
    )
    assert having("head", lenet) == {"f3.weight"}


@pytest.mark.parametrize(
    "norm",
    [
        nn.LayerNorm(6),
        nn.RMSNorm(6),
        nn.GroupNorm(2, 6),
        nn.BatchNorm1d(6),
        nn.InstanceNorm2d(6, affine=True),
        RMSNorm(6),
    ],
    ids=repr,
)
def test_norm_layers(norm):
    expected = ["gain norm vector", "bias norm vector"][: len(list(norm.parameters()))]
    assert list(words(norm).values()) == expected


def test_a_norm_over_two_dimensions_has_no_matrix():
    assert words(nn.LayerNorm((4, 6))) == {"weight": "gain norm vector", "bias": "bias norm vector"}


def test_norms_of_users_with_names_of_their_own():
    class FancyNorm2d(nn.Module):
        def __init__(self):
            super().__init__()
            self.gamma, self.beta = nn.Parameter(torch.ones(6)), nn.Parameter(torch.zeros(6))

    class NormalisingMixer(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix = nn.Parameter(torch.zeros(6, 6))

    assert words(FancyNorm2d()) == {"gamma": "gain norm vector", "beta": "bias norm vector"}
    assert "norm" not in words(NormalisingMixer())["mix"]


def test_conv1d_of_transformers():
    found = find_roles(Net(embed=nn.Embedding(9, 4), up=Conv1D(16, 4), down=Conv1D(4, 16), out=Conv1D(9, 4)))
    assert found["up.weight"].roles == {"matrix"}
    assert found["up.bias"].roles == {"vector", "bias"}
    assert found["out.weight"].roles == {"matrix", "head"}
    assert found["out.weight"].reason == "weight of the last Conv1D: its 9 outputs are the model's output"


def test_single_column_weight_is_a_matrix():
    assert words(nn.Sequential(nn.Linear(1, 8), nn.Linear(8, 1)))["1.weight"] == "head matrix"
    assert words(nn.Sequential(nn.Linear(1, 8), nn.Linear(8, 1)))["0.weight"] == "matrix"


def test_bilinear_is_a_stack():
    assert words(Net(pair=nn.Bilinear(4, 4, 8), out=nn.Linear(8, 2)))["pair.weight"] == "stack"


def test_experts():
    found = words(Net(embed=nn.Embedding(9, 8), layer=Experts(), out=nn.Linear(8, 9)))
    assert found["layer.router.weight"] == "matrix"
    assert found["layer.up"] == found["layer.down"] == "stack"
    assert found["out.weight"] == "head matrix"


class TestBareParameters:
    """Parameters that a user-written module holds directly."""

    @pytest.mark.parametrize(
        ("x", "beside", "expected"),
        [
            ((), {}, "scalar"),
            ((8,), {}, "vector"),
            ((8, 1, 1), {}, "vector"),
            ((1, 7, 8), {}, "embedding stack table"),
            ((7, 8), {}, "embedding matrix table"),
            ((8, 8), {}, "embedding matrix table"),
            ((4, 8, 8), {}, "stack"),
            ((8, 3, 5, 5), {}, "convolution"),
            ((8, 16), {"down": (16, 8)}, "matrix"),
            ((16, 8), {"up": (8, 16), "norm": nn.LayerNorm(8)}, "matrix"),
            ((8, 4), {"q": (8, 8), "o": (8, 8)}, "matrix"),
            ((4, 16), {"experts": (4, 8, 16)}, "embedding matrix table"),
            ((50, 4), {"columns": (50, 4)}, "embedding matrix table"),
            ((50, 8), {"positions": (16, 8)}, "embedding matrix table"),
            ((77, 8), {"project": (8, 8), "embed": nn.Embedding(5, 8)}, "embedding matrix table"),
        ],
        ids=str,
    )
    def test_by_shape_and_by_what_stands_beside(self, x, beside, expected):
        assert words(Net(inner=Net(x=x, **beside), out=nn.Linear(8, 3)))["inner.x"] == expected

    def test_a_linear_layer_by_its_integers(self):
        layer = Net(weight=(8, 4))
        layer.in_features, layer.out_features = 4, 8
        assert words(nn.Sequential(layer, nn.Linear(8, 2)))["0.weight"] == "matrix"

    def test_a_linear_layer_by_its_type(self):
        class BitLinear(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.zeros(8, 4))

        assert words(nn.Sequential(BitLinear(), nn.Linear(8, 2)))["0.weight"] == "matrix"

    def test_low_rank_pieces_in_a_subclass(self):
        class LoraLinear(nn.Linear):
            def __init__(self):
                super().__init__(8, 6)
                self.a, self.b = nn.Parameter(torch.zeros(2, 8)), nn.Parameter(torch.zeros(6, 2))

        found = words(nn.Sequential(LoraLinear(), nn.Linear(6, 2)))
        assert found["0.a"] == found["0.b"] == found["0.weight"] == "matrix"

    def test_parameter_lists_belong_to_their_module(self):
        layer = Net(norm=nn.LayerNorm(8))
        layer.weights = nn.ParameterList([nn.Parameter(torch.zeros(8, 16)), nn.Parameter(torch.zeros(16, 8))])
        found = find_roles(nn.Sequential(layer, nn.Linear(8, 2)))
        assert found["0.weights.1"].roles == {"matrix"}
        assert found["0.weights.1"].module == "Net"


class TestOverrides:
    """`roles=` has the last word."""

    def test_words_replace_those_found_and_the_form_stays(self):
        found = words(GPT(), roles={"positions": "matrix", "blocks.*.qkv.weight": "fused", "blocks.*": "recurrent"})
        assert found["positions"] == "matrix"
        assert found["blocks.1.qkv.weight"] == "fused matrix"
        assert found["blocks.1.norm.bias"] == "recurrent vector"
        assert find_roles(GPT(), roles={"pos*": "gain"})["positions"].reason == "as roles={'pos*': 'gain'} says"

    def test_mistakes(self):
        with pytest.raises(ValueError, match="unknown role 'embeding': did you mean 'embedding'"):
            find_roles(GPT(), roles={"positions": "embeding"})
        with pytest.raises(ValueError, match=r"'position'.* matches no parameter: did you mean 'positions'"):
            find_roles(GPT(), roles={"position": "embedding"})
        with pytest.raises(TypeError, match="write role words as one text"):
            find_roles(GPT(), roles={"positions": ["embedding"]})


class TestWrappers:
    """Parametrised and wrapped modules."""

    def test_weight_norm(self):
        model = nn.Sequential(parametrizations.weight_norm(nn.Conv2d(3, 8, 3)), nn.Linear(8, 2))
        found = find_roles(model)
        assert found["0.parametrizations.weight.original0"].roles == {"vector"}
        assert found["0.parametrizations.weight.original1"].roles == {"convolution"}
        assert found["0.parametrizations.weight.original1"].module == "Conv2d"

    def test_spectral_norm_on_the_head(self):
        model = nn.Sequential(nn.Linear(4, 8), parametrizations.spectral_norm(nn.Linear(8, 2)))
        assert words(model)["1.parametrizations.weight.original"] == "head matrix"

    def test_a_parametrisation_with_a_parameter_of_its_own(self):
        class Shift(nn.Module):
            def __init__(self):
                super().__init__()
                self.by = nn.Parameter(torch.zeros(()))

            def forward(self, weight):
                return weight + self.by

        layer = nn.Linear(4, 2)
        parametrize.register_parametrization(layer, "weight", Shift())
        found = words(layer)
        assert found["parametrizations.weight.original"] == "head matrix"
        assert found["parametrizations.weight.0.by"] == "scalar"

    @pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
    def test_older_hooks(self):
        model = nn.Sequential(nn.utils.weight_norm(nn.Linear(4, 8)), nn.utils.spectral_norm(nn.Linear(8, 2)))
        found = words(model)
        assert found["0.weight_g"] == "vector"
        assert found["0.weight_v"] == "matrix"
        assert found["1.weight_orig"] == "head matrix"

    def test_pruning(self):
        model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
        prune.l1_unstructured(model[0], "weight", 0.5)
        assert words(model)["0.weight_orig"] == "matrix"

    def test_compiled_and_parallel_models(self):
        plain = find_roles(GPT())
        inner = GPT()
        inner.blocks[0] = torch.compile(inner.blocks[0], backend="eager")
        for model in (torch.compile(GPT(), backend="eager"), nn.DataParallel(GPT()), inner):
            found = find_roles(model)
            assert list(found) == [name for name, _ in model.named_parameters()]
            assert list(found.values()) == list(plain.values())
        both = torch.compile(nn.DataParallel(GPT()), backend="eager")
        assert list(find_roles(both).values()) == list(plain.values())
        assert having("head", nn.DataParallel(GPT(tied=False)), head="module.unembed") == {"module.unembed.weight"}

    def test_lazy_modules(self):
        with pytest.raises(ValueError, match=r"parameter '0.weight' of a lazy module has no shape yet: run the model"):
            find_roles(nn.Sequential(nn.LazyLinear(3)))


@pytest.mark.parametrize(
    "model",
    [
        GPT(),
        ViT(),
        Experts(),
        nn.Transformer(8, 2, 1, 1, 8, batch_first=True),
        Net(t=(), v=(1, 1, 4), w=(2, 3, 4, 5, 6)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_each_tensor_once_with_one_form_and_a_reason(model):
    found = find_roles(model)
    assert list(found) == [name for name, _ in model.named_parameters()]
    for one in found.values():
        assert len(one.roles.intersection(FORMS)) == 1
        assert one.roles <= set(ROLES)
        assert one.reason
        assert one.module
