"""The list of the faults and the controls, with what naming the cause of each would be."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from _faults import CLASSES, WIDTH, Case, Gpt, Residual, gpt, he, normal, raw_digits, stack, xavier
from _faults import tokens as _tokens

SMALL = r"too small|below|shrink|vanish|scale"
LARGE = r"too large|above|grow|explod|scale"


def _seeded(make: Callable[[], nn.Module]) -> Callable[[int], nn.Module]:
    def build(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        return make()

    return build


def _changed(
    make: Callable[[], nn.Module], change: Callable[[Any], None]
) -> Callable[[int], nn.Module]:
    def made() -> nn.Module:
        model = make()
        with torch.no_grad():
            change(model)
        return model

    return _seeded(made)


def _constant(model: nn.Module) -> None:
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.constant_(layer.weight, 0.01)


def _zero(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.zero_()


def _duplicate(model: nn.Module) -> None:
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            layer.weight.copy_(layer.weight[:1].expand_as(layer.weight))
            layer.bias.zero_()


def _saturate(model: nn.Module) -> None:
    for layer in list(model.modules())[1:-1]:
        if isinstance(layer, nn.Linear):
            layer.weight.normal_(std=3.0)


def _kill(layer: nn.Linear, part: float) -> None:
    layer.bias[: int(part * layer.out_features)] = -1000.0


class Unused(nn.Module):
    """A network with a layer that nothing calls."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.spare = stack(3, start=he), nn.Linear(WIDTH, WIDTH)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.body(inputs)


class Detached(nn.Module):
    """A network whose trunk is cut off from the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(functional.relu(self.trunk(inputs)).detach())


class Tied(nn.Module):
    """A language model that ties its head to an embedding of standard deviation 1."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(64, WIDTH)
        self.body = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, 64, bias=False)
        self.head.weight = self.embedding.weight
        nn.init.normal_(self.embedding.weight)

    def forward(self, text: Tensor) -> Tensor:
        known = self.embedding(text)
        return self.head(self.norm(known + self.body(known)))


CONTROLS = (
    Case("He MLP", _seeded(lambda: stack(4, start=he))),
    Case("tanh Xavier", _seeded(lambda: stack(4, nn.Tanh, xavier))),
    Case("zero-init residual", _seeded(Residual)),
    Case("default 3-layer MLP", _seeded(lambda: stack(3))),
    Case("GPT-2 recipe", _seeded(gpt), batch=_tokens, plan="gpt2"),
)

NETWORKS = (
    Case(
        "constant weights 0.01",
        _changed(lambda: stack(4), _constant),
        ("FI2",),
        words="constant|identical|symmetr",
    ),
    Case("all-zero weights", _changed(lambda: stack(4), _zero), ("FI2",), words="zero"),
    Case(
        "duplicate units",
        _changed(lambda: stack(4, start=he), _duplicate),
        ("FI2",),
        words="identical|duplicate|equal|symmetr|redundan",
    ),
    Case(
        "std 0.01, 8 layers",
        _seeded(lambda: stack(8, start=normal(0.01))),
        ("FI3", "FI4"),
        words=SMALL,
    ),
    Case(
        "std 0.5, 8 layers",
        _seeded(lambda: stack(8, start=normal(0.5))),
        ("FI3", "FI4"),
        words=LARGE,
    ),
    Case("default, 30 ReLU layers", _seeded(lambda: stack(30)), ("FI3", "FI4"), words=SMALL),
    Case(
        "sigmoid, 12 layers",
        _seeded(lambda: stack(12, nn.Sigmoid, xavier)),
        ("FI4",),
        words="vanish|shrink|correlation|collapse",
    ),
    Case(
        "tanh saturated",
        _changed(lambda: stack(4, nn.Tanh, xavier), _saturate),
        ("FI3", "FI5"),
        words="saturat",
    ),
    Case(
        "one ReLU layer dead",
        _changed(lambda: stack(4, start=he), lambda m: _kill(m[2], 1.0)),
        ("FI5",),
        words="dead",
    ),
    Case(
        "35 % of units dead",
        _changed(lambda: stack(4, start=he), lambda m: _kill(m[2], 0.35)),
        ("FI5",),
        words="dead",
    ),
    Case(
        "correlation collapse, He, 100 layers",
        _seeded(lambda: stack(100, start=he)),
        ("FI4",),
        words="correlation|collapse|alike",
    ),
    Case(
        "logits too large",
        _changed(lambda: stack(4, start=he), lambda m: m[6].weight.mul_(10)),
        ("FI3", "FI6"),
        words="logit|output scale|head",
    ),
    Case(
        "output bias wrong",
        _changed(lambda: stack(4, start=he), lambda m: m[6].bias[3].fill_(10)),
        ("FI3", "FI6"),
        words="bias|prior",
    ),
    Case(
        "unnormalised input",
        _seeded(lambda: stack(4, start=he)),
        ("FI5",),
        words="normali|input (mean|range|scale)",
        batch=raw_digits,
    ),
    Case(
        "NaN in one weight",
        _changed(lambda: stack(4, start=he), lambda m: m[2].weight[0, 0].fill_(math.nan)),
        ("FI1",),
        where="2.weight",
        words="nan|finite",
    ),
    Case(
        "unused sub-module", _seeded(Unused), ("FI7",), where="spare", words="unused|never|no grad"
    ),
    Case(
        "detached trunk",
        _seeded(Detached),
        ("FI7",),
        where="trunk",
        words="no grad|None|detach|discon",
    ),
    Case(
        "tied embedding N(0,1)",
        _seeded(Tied),
        ("FI3", "FI6", "FI7"),
        where="embedding",
        words="embedding|tied",
        batch=_tokens,
    ),
    Case(
        "one layer 50x too small",
        _changed(lambda: stack(6, start=he), lambda m: m[4].weight.div_(50)),
        ("FI3",),
        where="4.weight",
        words=SMALL,
    ),
)


def _wrong_layer(model: Gpt) -> None:
    for block in model.blocks:
        block.c_fc.weight.normal_(std=0.02 / math.sqrt(2 * len(model.blocks)))


def _twice(model: Gpt) -> None:
    for block in model.blocks:
        for writer in (block.c_proj, block.mlp_proj):
            writer.weight.div_(math.sqrt(2 * len(model.blocks)))


def _variance(model: Gpt) -> None:
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2 and "proj" not in name:
            parameter.normal_(std=math.sqrt(0.02))


def _copied(model: Gpt) -> None:
    model.blocks[5].load_state_dict(model.blocks[2].state_dict())


def _no_attention(model: Gpt) -> None:
    for block in model.blocks:
        block.c_attn.weight.zero_()


def _recipe(
    name: str,
    change: Callable[[Gpt], None] | None,
    codes: tuple[str, ...],
    where: str,
    words: str,
    *,
    scaled: bool = True,
) -> Case:
    make = _seeded(lambda: gpt(change, scaled=scaled))
    return Case(name, make, codes, where, words, _tokens, "gpt2")


RECIPES = (
    _recipe("residual scaling never applied", None, ("FI3",), "proj", LARGE, scaled=False),
    _recipe("residual scaling applied twice", _twice, ("FI3",), "proj", SMALL),
    _recipe("scaling put on the wrong layer", _wrong_layer, ("FI3",), "c_fc", SMALL, scaled=False),
    _recipe("std = sqrt(intended std)", _variance, ("FI3",), "weight", LARGE),
    _recipe("two blocks identical", _copied, ("FI2",), "blocks", "identical|equal|duplicate"),
    _recipe(
        "one LayerNorm gain left at zero",
        lambda model: model.blocks[3].ln_2.weight.zero_(),
        ("FI3", "FI7"),
        "blocks.3.ln_2.weight",
        "zero|gain",
    ),
    _recipe("q/k/v all zero", _no_attention, ("FI2", "FI3", "FI7"), "c_attn", "zero"),
    _recipe(
        "tied embedding left at N(0,1)",
        lambda model: model.wte.weight.normal_(),
        ("FI3", "FI6", "FI7"),
        "wte",
        "embedding|tied",
    ),
)

CASES = (*CONTROLS, *NETWORKS, *RECIPES)
