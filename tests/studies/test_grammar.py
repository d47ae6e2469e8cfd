"""Networks in one line, held to torch's own layers, and to the data they are to learn."""

import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fanin.errors import FaninError
from fanin.studies.data import Data, load
from fanin.studies.fits import check_fits
from fanin.studies.grammar import ACTIVATIONS, NORMS, OUTPUTS, Network

PARAMETERS = st.sampled_from(["", "(0.2)", "(1)"])


# The strategy gives arguments, not a network: in the tests beartype checks a few elements of every
# tuple, picked with `random`, which has no place inside a strategy.
@st.composite
def networks(draw: st.DrawFn) -> dict[str, Any]:
    sizes = draw(st.lists(st.integers(1, 3000), min_size=2, max_size=5).map(tuple))
    deep = len(sizes) > 2

    def word(names: tuple[str, ...]) -> str:
        name = draw(st.sampled_from(names))
        return name + (draw(PARAMETERS) if name in {"leaky_relu", "elu", "celu"} else "")

    return {
        "sizes": sizes,
        "hidden": word(ACTIVATIONS) if deep else "linear",
        "output": word(OUTPUTS if sizes[-1] > 1 else ACTIVATIONS),
        "bias": draw(st.booleans()),
        "norm": draw(st.sampled_from(NORMS)) if deep else "none",
        "dropout": draw(st.sampled_from([0.0, 0.1, 0.5]) | st.floats(0, 0.999)) if deep else 0.0,
    }


@given(settings=networks())
def test_the_printed_form_is_read_back(settings: dict[str, Any]) -> None:
    network = Network(**settings)
    again = Network.parse(str(network))
    assert again == network
    assert str(again) == str(network)


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("4-1", Network((4, 1))),
        ("4-1 sigmoid", Network((4, 1), output="sigmoid")),
        ("64-128-128-10 relu", Network((64, 128, 128, 10), "relu")),
        ("2-10-5-1 relu sigmoid", Network((2, 10, 5, 1), "relu", "sigmoid")),
        ("3-2-1 linear", Network((3, 2, 1), "linear", "linear")),
        (
            "64-128-10 bias=no relu norm=layer softmax dropout=0.1",
            Network((64, 128, 10), "relu", "softmax", False, "layer", 0.1),
        ),
        ("  4-8-1   leaky_relu(slope=0.2) ", Network((4, 8, 1), "leaky_relu(0.2)")),
        ("4-8-1 leaky_relu", Network((4, 8, 1), "leaky_relu(0.01)")),
        ("4-8-1 swish", Network((4, 8, 1), "silu")),
        ("4-8-1 relu norm=none bias=yes dropout=0", Network((4, 8, 1), "relu")),
    ],
)
def test_lines(text: str, network: Network) -> None:
    assert Network.parse(text) == network


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (
            "4-8-1 bias=no swish linear dropout=.10 norm=batch",
            "4-8-1 silu norm=batch dropout=0.1 bias=no",
        ),
        ("04-1", "4-1"),
        ("4-3-1 linear", "4-3-1 linear"),
        ("4-1 linear", "4-1"),
    ],
)
def test_the_canonical_form(text: str, canonical: str) -> None:
    assert str(Network.parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["begin with its sizes", "4-1 sigmoid"]),
        ("relu", ["begin with its sizes"]),
        ("4", ["begin with its sizes"]),
        ("4 - 1 sigmoid", ["without spaces"]),
        ("4-x-1 relu", ["whole numbers"]),
        ("4-2.5-1 relu", ["whole numbers"]),
        ("4--1", ["whole numbers"]),
        ("4-" + "9" * 5000, ["whole numbers"]),
        ("4-0-1 relu", ["at least 1", "4-0-1"]),
        ("4-8-1", ["which activation", '"4-8-1 relu"', '"4-8-1 linear"']),
        ("4-8-1 rellu", ["hidden activation", '"rellu"', 'mean "relu"', "tanh"]),
        ("4-1 sigmiod", ["output activation", 'mean "sigmoid"']),
        ("4-8-1 relu dropout", ['"dropout"', "dropout=0.1"]),
        ("4-8-1 relu layernorm", ['"layernorm"']),
        ("4-8-1 softmax", ["softmax is for the output"]),
        ("4-8-1 relu(2)", ["relu", "takes no parameter"]),
        ("4-8-1 leaky_relu(a)", ["leaky_relu", "one number"]),
        ("4-8-1 prelu", ['"prelu"']),
        ("4-8-1 relu;", ['"relu;"']),
        ("4-8-1 relu tanh tanh", ["two activations", "has 3"]),
        ("4-1 relu tanh", ["one activation", "has 2"]),
        ("4-8-1 relu bias=maybe", ["yes or no", "maybe"]),
        ("4-8-1 relu norm=layr", ["none, layer or batch", 'mean "layer"']),
        ("4-8-1 relu dropout=1", ["below 1", "got 1"]),
        ("4-8-1 relu dropout=-0.1", ["below 1", "-0.1"]),
        ("4-8-1 relu dropout=nan", ["below 1", "nan"]),
        ("4-8-1 relu dropout=some", ["a number", "some"]),
        ("4-8-1 relu dropout=0.1 dropout=0.2", ["dropout twice"]),
        ("4-8-1 relu nrm=layer", ['no option "nrm"', 'mean "norm"']),
        ("4-1 norm=layer", ["norm=layer is for hidden layers", "4-16-1"]),
        ("4-1 sigmoid dropout=0.5", ["dropout=0.5 is for hidden layers"]),
        ("4-8-1 relu softmax", ["softmax over one output"]),
    ],
)
def test_bad_lines_are_told(text: str, words: list[str]) -> None:
    with pytest.raises(FaninError) as caught:
        Network.parse(text)
    for word in words:
        assert word in str(caught.value)


@given(text=st.text(max_size=30) | st.text("0123456789- relu=()norm.,x\n\0", max_size=30))
@example(text="4-1 relu(" + "(" * 500)
def test_no_line_ends_in_a_traceback(text: str) -> None:
    for line in (text, f"4-1 {text}"):
        with contextlib.suppress(FaninError):
            assert isinstance(Network.parse(line), Network)


def test_a_network_without_hidden_layers_has_nothing_to_hide() -> None:
    with pytest.raises(FaninError, match="relu is for hidden layers"):
        Network((4, 1), hidden="relu")


@given(settings=networks())
def test_shapes_are_those_of_the_framework(settings: dict[str, Any]) -> None:
    network = Network(**settings)
    torch = pytest.importorskip("torch")
    pairs = list(zip(network.sizes, network.sizes[1:], strict=False))
    layers = torch.nn.Module()
    # On the meta device nothing is allocated or drawn: only the shapes are asked for.
    layers.layers = torch.nn.ModuleList(
        torch.nn.Linear(*pair, bias=network.bias, device="meta") for pair in pairs
    )
    if network.norm != "none":
        kind = torch.nn.LayerNorm if network.norm == "layer" else torch.nn.BatchNorm1d
        layers.norms = torch.nn.ModuleList(kind(n, device="meta") for n in network.hidden_sizes)
    truth = {name: tuple(value.shape) for name, value in layers.named_parameters()}
    assert network.shapes == truth
    assert list(network.shapes) == list(truth)


@pytest.fixture(scope="module")
def sets() -> dict[str, Data]:
    x = np.arange(120.0).reshape(30, 4)
    targets = {
        "two": np.arange(30) % 2,
        "three": np.arange(30) % 3,
        "number": x[:, 0],
        "numbers": x[:, :2],
    }
    known = {name: load((x, y)) for name, y in targets.items()}
    images = load((x.reshape(30, 2, 2), targets["two"]))
    return {**known, "images": images, "wide": load("digits")}


@pytest.mark.parametrize(
    ("line", "name", "asked", "loss"),
    [
        ("4-1 sigmoid", "two", None, "bce"),
        ("4-1", "two", None, "bce"),
        ("4-1", "two", "bce", "bce"),
        ("4-8-2 relu", "two", None, "cross_entropy"),
        ("4-8-2 relu softmax", "two", None, "cross_entropy"),
        ("4-8-3 tanh", "three", None, "cross_entropy"),
        ("4-3 softmax", "three", "cross_entropy", "cross_entropy"),
        ("4-1 sigmoid", "two", "mse", "mse"),
        ("4-1 tanh", "two", "mse", "mse"),
        ("4-8-3 relu sigmoid", "three", "mse", "mse"),
        ("4-1", "number", None, "mse"),
        ("4-8-2 relu relu", "numbers", None, "mse"),
    ],
)
def test_the_loss_that_is_called_for(
    sets: dict[str, Data], line: str, name: str, asked: str | None, loss: str
) -> None:
    assert check_fits(Network.parse(line), sets[name], asked) == loss


@pytest.mark.parametrize(
    ("line", "name", "asked", "words"),
    [
        ("5-1 sigmoid", "two", None, ["5 inputs", "4 features", "x0, x1, x2, x3", '"4-1 sigmoid"']),
        ("4-10 softmax", "wide", None, ["4 inputs", "64 features", "and 56 more", '"64-10 soft']),
        ("4-8-3 relu", "two", None, ["3 outputs", "2 classes (0, 1)", '"4-8-1 relu"']),
        ("4-3 softmax", "two", None, ['"4-2 softmax"']),
        ("4-1 sigmoid", "three", None, ["1 output,", "3 classes", '"4-3 softmax"']),
        ("4-8-1 relu", "three", None, ['"4-8-3 relu"']),
        ("4-2 softmax", "number", None, ["2 outputs", "1 target column:", '"4-1"']),
        ("4-1", "numbers", None, ["2 target columns", '"4-2"']),
        ("4-2 sigmoid", "two", None, ["ends in sigmoid", "softmax", '"4-2 softmax"', "mse"]),
        ("4-8-3 relu relu", "three", None, ["ends in relu", '"4-8-3 relu softmax"']),
        ("4-1 tanh", "two", None, ["ends in tanh", '"4-1 sigmoid"']),
        ("4-1 sigmoid", "two", "cross_entropy", ["must be bce or mse", "one output for each"]),
        ("4-2 softmax", "two", "bce", ["must be cross_entropy or mse", "needs one output"]),
        ("4-1", "number", "bce", ["must be mse, got bce", "a number, not a class"]),
        ("4-1", "two", "cross-entropy", ["no loss", 'mean "cross_entropy"']),
        ("4-1", "images", None, ["rows of numbers", "(2, 2)", "reshape"]),
    ],
)
def test_misfits_are_told(
    sets: dict[str, Data], line: str, name: str, asked: str | None, words: list[str]
) -> None:
    with pytest.raises(FaninError) as caught:
        check_fits(Network.parse(line), sets[name], asked)
    for word in words:
        assert word in str(caught.value)


@given(settings=networks())
def test_the_network_that_is_suggested_fits(settings: dict[str, Any]) -> None:
    network = Network(**settings)
    # One suggestion may bring up the next mistake, so follow them, at most one for each check.
    data = load("iris")
    for _ in range(4):
        try:
            check_fits(network, data)
        except FaninError as problem:
            network = Network.parse(str(problem).split('write "')[1].split('"')[0])
        else:
            break
    assert check_fits(network, data) == "cross_entropy"
