"""Writes that no tensor of a model holds, and what only looks like one; what threads write."""

import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from fanin.torch.births import record


def writes(births, name):
    return [(write.function, write.by) for write in births.of(name).writes]


def line_of(write):
    return write.frames[0].text


def test_lost_writes():
    def build():
        layer = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))
        plain = nn.Linear(4, 4)
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(plain.weight[[0, 1]])
        nn.init.ones_(plain.bias.clone())
        return nn.ModuleDict({"normed": layer, "plain": plain})

    _, births = record(build)
    told = [(lost.into, lost.of, line_of(lost.write)) for lost in births.lost]
    assert told == [
        ("a derived tensor", told[0][1], "nn.init.zeros_(layer.weight)"),
        ("a temporary", "plain.weight", "nn.init.zeros_(plain.weight[[0, 1]])"),
        ("a temporary", "plain.bias", "nn.init.ones_(plain.bias.clone())"),
    ]
    assert told[0][1].startswith("normed.parametrizations.weight")


ASTRAY = {
    "new style": lambda layer: parametrizations.weight_norm(layer).weight.data.normal_(),
    "old style": lambda layer: torch.nn.utils.weight_norm(layer).weight.data.mul_(0.1),
    "cast": lambda layer: layer.weight.data.double().bfloat16().fill_(0.1),
    "rows": lambda layer: layer.weight.data[[0, 2]].mul_(0.1),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm")
@pytest.mark.parametrize("way", ASTRAY)
def test_methods_in_place_are_lost_like_initialisers(way):
    def build():
        layer = nn.Linear(8, 4)
        ASTRAY[way](layer)
        return layer

    _, births = record(build)
    (lost,) = births.lost
    assert lost.into == ("a derived tensor" if "style" in way else "a temporary")
    assert births.of(lost.of).shape == (4, 8)  # the piece that is as large as the weight


class Measured(nn.Module):
    """Computes with its weights while it is built, in place, and writes only where it means to."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        with torch.no_grad():
            self.head = nn.Linear(self.features(torch.zeros(1, 3, 9, 9)).shape[1], 4)
            matrix = self.head.weight
            left, norm = torch.randn(4), 1.0
            for _ in range(3):
                right = matrix.T @ left
                right.div_(right.norm())
                left = matrix @ right
                norm = left.norm().item()
                left.div_(norm)
            matrix.div_(norm)
        squares = matrix.detach().clone()
        squares.mul_(squares)
        self.size = squares.sum().item()
        self.mask = torch.ones_like(matrix)
        self.mask[0] = 0

    def features(self, x):
        y = self.conv(x)
        y *= 0.5
        y[:, 0] = 0
        return y.flatten(1).mul_(2)


def test_steps_of_a_computation_are_no_lost_writes():
    _, births = record(Measured)
    assert births.ok, births.lost
    assert births.of("head.weight").last.function == "div_"


def test_a_copy_that_was_looked_at_and_then_set_is_lost_and_one_that_is_kept_aside_is_not():
    def build():
        layer = nn.Linear(4, 4)
        nn.init.normal_(layer.weight)
        layer.before = layer.weight.detach().clone()
        copied = layer.bias.detach().clone()
        assert copied.std() > 0
        copied.zero_()
        return layer

    _, births = record(build)
    assert [(lost.write.function, lost.of) for lost in births.lost] == [("zero_", "bias")]


def test_a_scale_keeps_the_stream_of_what_it_scales():
    def build():
        layer = nn.Linear(4, 4)
        with torch.no_grad():
            layer.weight.div_(layer(torch.ones(2, 4)).std())
        return layer

    _, births = record(build)
    drawn, scaled = births.of("weight").writes
    assert scaled.stream == drawn.stream != births.of("bias").last.stream


def test_a_layer_that_is_dropped_is_let_go_and_not_mistaken_for_a_later_one():
    gone = list[weakref.ref[nn.Parameter]]()

    def build():
        layers = list[nn.Linear]()
        seen = set[int]()
        for _ in range(20):
            layer = nn.Linear(4, 4)
            nn.init.normal_(layer.weight)
            gone.append(weakref.ref(layer.weight))
            seen.add(id(layer.weight))
            del layer
        while len(layers) < 100 and not any(id(layer.weight) in seen for layer in layers):
            layers.append(nn.Linear(4, 4))
        return nn.ModuleList(layers)

    _, births = record(build)
    assert not any(known() for known in gone[:-1])
    assert not births.lost


def test_a_placeholder_swallows_a_write():
    def build():
        layer = nn.Linear(4, 2)
        kept = layer.weight.data
        layer.weight.data = torch.empty(0)
        nn.init.normal_(layer.weight)
        layer.weight.data = kept
        return layer

    _, births = record(build)
    assert [(lost.into, lost.of) for lost in births.lost] == [("an empty placeholder", "weight")]


def test_what_flows_into_the_model_is_not_lost():
    def build():
        layer = nn.Linear(4, 4)
        drawn = torch.empty(4, 4)
        nn.init.orthogonal_(drawn)
        layer.weight.data.copy_(drawn * 0.5)
        return layer

    _, births = record(build)
    assert births.ok


def test_what_threads_write_is_heard():
    def build():
        with ThreadPoolExecutor(2) as pool:
            layers = nn.ModuleList(pool.map(lambda _: nn.Linear(4, 4), range(4)))
            list(pool.map(lambda layer: nn.init.orthogonal_(layer.weight), layers))
            pool.submit(lambda: layers.append(nn.ParameterList([torch.empty(3)])))
        return layers

    plain = threading.Thread.start
    _, births = record(build)
    assert threading.Thread.start is plain
    for place in range(4):
        assert writes(births, f"{place}.weight") == [
            ("nn.init.kaiming_uniform_", "constructor"),
            ("nn.init.orthogonal_", "init"),
        ]
    assert births.of("4.0").unwritten == 1


def test_what_a_thread_writes_after_the_build_is_not_heard():
    done, over = threading.Event(), threading.Event()

    def build():
        layer = nn.Linear(4, 4)

        def late():
            over.wait(10)
            nn.init.zeros_(layer.weight)
            done.set()

        threading.Thread(target=late, daemon=True).start()
        return layer

    model, births = record(build)
    over.set()
    assert done.wait(10)
    assert not model.weight.any()
    assert len(births.of("weight").writes) == 1
