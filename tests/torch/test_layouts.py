"""Slots of real models: roles, fans, names and ties, and that no layer of torch is forgotten."""

import inspect
from collections.abc import Callable

import pytest
import torch
from torch import nn

from fanin import FaninError
from fanin.recipes import Role, Slot
from fanin.schemes import Fans, Layout
from fanin.torch.layouts import layer_layout, slots

EXAMPLES: dict[str, Callable[[], nn.Module]] = {
    "Linear": lambda: nn.Linear(6, 4),
    "Bilinear": lambda: nn.Bilinear(3, 5, 4),
    "Conv1d": lambda: nn.Conv1d(4, 6, 3),
    "Conv2d": lambda: nn.Conv2d(4, 6, 3),
    "Conv3d": lambda: nn.Conv3d(4, 6, 3),
    "ConvTranspose1d": lambda: nn.ConvTranspose1d(4, 6, 3),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(4, 6, 3),
    "ConvTranspose3d": lambda: nn.ConvTranspose3d(4, 6, 3),
    "Embedding": lambda: nn.Embedding(7, 4),
    "EmbeddingBag": lambda: nn.EmbeddingBag(7, 4),
    "RNN": lambda: nn.RNN(3, 5),
    "LSTM": lambda: nn.LSTM(3, 5),
    "GRU": lambda: nn.GRU(3, 5),
    "RNNCell": lambda: nn.RNNCell(3, 5),
    "LSTMCell": lambda: nn.LSTMCell(3, 5),
    "GRUCell": lambda: nn.GRUCell(3, 5),
    "MultiheadAttention": lambda: nn.MultiheadAttention(4, 2),
    "Transformer": lambda: nn.Transformer(4, 2, 1, 1, 8, batch_first=True),
    "TransformerEncoderLayer": lambda: nn.TransformerEncoderLayer(4, 2, 8),
    "TransformerDecoderLayer": lambda: nn.TransformerDecoderLayer(4, 2, 8),
    "BatchNorm1d": lambda: nn.BatchNorm1d(4),
    "BatchNorm2d": lambda: nn.BatchNorm2d(4),
    "BatchNorm3d": lambda: nn.BatchNorm3d(4),
    "SyncBatchNorm": lambda: nn.SyncBatchNorm(4),
    "InstanceNorm1d": lambda: nn.InstanceNorm1d(4, affine=True),
    "InstanceNorm2d": lambda: nn.InstanceNorm2d(4, affine=True),
    "InstanceNorm3d": lambda: nn.InstanceNorm3d(4, affine=True),
    "LayerNorm": lambda: nn.LayerNorm([3, 4]),
    "GroupNorm": lambda: nn.GroupNorm(2, 4),
    "RMSNorm": lambda: nn.RMSNorm(4),
    "PReLU": lambda: nn.PReLU(3),
    "AdaptiveLogSoftmaxWithLoss": lambda: nn.AdaptiveLogSoftmaxWithLoss(16, 20, [5, 10]),
    "LinearCrossEntropyLoss": lambda: nn.LinearCrossEntropyLoss(6, 4, bias=True),
}
"""A small one of every layer of torch.nn with parameters."""

HOLDERS = {
    # They hold what a person puts into them, and nothing else.
    *("Module", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"),
    *("Container", "DataParallel", "TransformerEncoder", "TransformerDecoder"),
    *("RNNBase", "RNNCellBase"),  # never built themselves
}


def by_name(model: nn.Module) -> dict[str, Slot]:
    return {slot.name: slot for slot in slots(model)}


def makes_parameters(kind: type) -> bool:
    """Whether a constructor of a class, or of its bases, makes a parameter or a linear layer."""
    bases = [base for base in kind.__mro__ if "__init__" in vars(base) and base is not object]
    sources = [inspect.getsource(vars(base)["__init__"]) for base in bases]
    return any("Parameter(" in text or "Linear(" in text for text in sources)


def test_no_layer_of_torch_is_forgotten() -> None:
    kinds = {name: kind for name, kind in vars(nn).items() if inspect.isclass(kind)}
    modules = {name: kind for name, kind in kinds.items() if issubclass(kind, nn.Module)}
    with_parameters = {
        name
        for name, kind in modules.items()
        if makes_parameters(kind) and not name.startswith("Lazy")
    }
    assert with_parameters - HOLDERS <= set(EXAMPLES)


@pytest.mark.parametrize("name", [name for name in EXAMPLES if hasattr(nn, name)])
def test_every_parameter_of_a_known_layer_is_known(name: str) -> None:
    layer = EXAMPLES[name]()
    found = by_name(layer)
    assert set(found) == {name for name, _ in layer.named_parameters()}
    assert all(slot.known for slot in found.values())
    assert {slot.name: slot.shape for slot in found.values()} == {
        name: tuple(tensor.shape) for name, tensor in layer.named_parameters()
    }


@pytest.mark.parametrize(
    ("layer", "fans"),
    [
        (nn.Linear(6, 4), Fans(6, 4)),
        (nn.Bilinear(3, 5, 4), Fans(15, 4)),
        (nn.Conv2d(8, 6, 3, groups=2, stride=(2, 1)), Fans(36, 13.5)),
        (nn.Conv1d(8, 8, 5, groups=8, dilation=2), Fans(5, 5)),
        (nn.ConvTranspose2d(8, 6, 4, stride=2, groups=2), Fans(16, 48)),
        (nn.Embedding(7, 4), Fans(1, 4)),
        (nn.EmbeddingBag(7, 4), Fans(1, 4)),
    ],
)
def test_fans_of_a_weight_are_shared_by_its_bias(layer: nn.Module, fans: Fans) -> None:
    found = by_name(layer)
    assert found["weight"].fans == fans
    if "bias" in found:
        assert found["bias"].fans == fans
        assert found["bias"].role is Role.BIAS


def test_recurrent_layers_are_seen_gate_by_gate_in_every_layer_and_direction() -> None:
    found = by_name(nn.LSTM(3, 8, num_layers=2, bidirectional=True, proj_size=5))
    for direction in ("", "_reverse"):
        assert found[f"weight_ih_l0{direction}"].fans == Fans(3, 8)
        assert found[f"weight_ih_l1{direction}"].fans == Fans(10, 8)
        for layer in (0, 1):
            ending = f"_l{layer}{direction}"
            assert found[f"weight_hh{ending}"].fans == Fans(5, 8)
            assert found[f"weight_hr{ending}"].fans == Fans(8, 5)
            assert found[f"weight_hh{ending}"].layout == Layout.stacked(4)
            assert found[f"weight_hh{ending}"].recurrent
            assert not found[f"weight_ih{ending}"].recurrent
            for side in ("ih", "hh"):
                assert found[f"bias_{side}{ending}"].role is Role.BIAS
                assert found[f"bias_{side}{ending}"].fans == found[f"weight_{side}{ending}"].fans
    blocks = {"LSTM": 4, "GRU": 3, "RNN": 1}
    for name, count in blocks.items():
        assert layer_layout(getattr(nn, name)(3, 5), "weight_ih_l0").blocks == count
        assert layer_layout(getattr(nn, f"{name}Cell")(3, 5), "weight_hh").blocks == count


def test_attention_is_three_matrices_fused_or_not() -> None:
    fused = by_name(nn.MultiheadAttention(6, 2, add_bias_kv=True))
    assert fused["in_proj_weight"].fans == Fans(6, 6)
    assert fused["in_proj_weight"].layout == Layout.stacked(3)
    assert fused["in_proj_bias"].fans == Fans(6, 6)
    assert fused["bias_k"].role is Role.BIAS
    apart = by_name(nn.MultiheadAttention(6, 2, kdim=4, vdim=5))
    assert apart["q_proj_weight"].fans == Fans(6, 6)
    assert apart["k_proj_weight"].fans == Fans(4, 6)
    assert apart["v_proj_weight"].fans == Fans(5, 6)
    assert apart["in_proj_bias"].fans == Fans(6, 6)


class Scaled(nn.Linear):
    """A subclass with a parameter that no layer of torch has."""

    def __init__(self) -> None:
        super().__init__(6, 4)
        self.scale = nn.Parameter(torch.ones(4))


def test_a_subclass_is_its_layer_and_what_it_adds_is_unknown() -> None:
    found = by_name(Scaled())
    assert found["weight"].fans == Fans(6, 4)
    assert found["weight"].module == "Scaled"
    assert not found["scale"].known


class Turned(nn.Linear):
    """A linear layer that stores its weight as (in, out)."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        self.weight = nn.Parameter(torch.zeros(in_features, out_features))


def test_a_linear_weight_stored_as_in_out_is_read_so() -> None:
    found = by_name(Turned(6, 4))
    assert found["weight"].layout == Layout.dense()
    assert found["weight"].fans == found["bias"].fans == Fans(6, 4)
    # Sizes that are neither, as pruned channels leave them, say nothing against (out, in).
    pruned = nn.Linear(6, 4)
    pruned.weight = nn.Parameter(pruned.weight[:3])
    assert by_name(pruned)["weight"].fans == Fans(6, 3)


def test_shared_memory_is_one_slot_under_all_its_names() -> None:
    layer = nn.Linear(4, 4)
    model = nn.ModuleDict({"a": layer, "b": layer, "wte": nn.Embedding(4, 4), "c": nn.Linear(4, 4)})
    model["c"].weight = model["wte"].weight
    found = by_name(model)
    assert set(found) == {"a.weight", "a.bias", "wte.weight", "c.bias"}
    assert found["a.weight"].aliases == ("b.weight",)
    assert found["a.weight"].uses == ()
    assert found["wte.weight"].aliases == ("c.weight",)
    assert [use.fans for use in found["wte.weight"].uses] == [Fans(4, 4)]


def test_two_parameters_on_the_same_memory_are_a_tie_too() -> None:
    first, second = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
    second.weight = nn.Parameter(first.weight.detach())
    assert [slot.names for slot in slots(nn.Sequential(first, second))] == [
        ("0.weight", "1.weight")
    ]


def test_layer_layout_says_what_it_can_do() -> None:
    assert layer_layout(nn.Conv2d(8, 8, 3, groups=8, stride=2)) == Layout.conv(2, 8, 4)
    assert layer_layout(nn.ConvTranspose1d(4, 4, 3)) == Layout.conv_transpose(1)
    with pytest.raises(FaninError, match="Linear has no layout for 'bias': it has one for weight"):
        layer_layout(nn.Linear(3, 4), "bias")
    with pytest.raises(FaninError, match="ReLU has no layout for 'weight': no layout is known"):
        layer_layout(nn.ReLU())


def test_a_weight_of_the_wrong_shape_is_named() -> None:
    layer = nn.Linear(3, 4)
    layer.weight = nn.Parameter(torch.zeros(2, 3, 4))
    with pytest.raises(FaninError, match=r"^0\.weight: this layout is for a tensor with 2 axes"):
        slots(nn.Sequential(layer))
