"""Every scheme with every kind of argument, and every kind of tensor it may be asked to fill."""

from typing import Any

from hypothesis import strategies as st

from fanin.schemes import Layout, parse

NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**6), 10**6)
NOT_NEGATIVE = st.floats(0, allow_infinity=False) | st.integers(0, 10**6)
POSITIVE = st.floats(0, exclude_min=True, allow_infinity=False) | st.integers(1, 10**6)
ACTIVATIONS = st.sampled_from(["relu", "tanh", "swish", "leaky_relu", "gelu_tanh"]) | st.builds(
    "{}({})".format, st.sampled_from(["leaky_relu", "elu"]), NUMBERS
)
GAIN = {"gain": NOT_NEGATIVE | ACTIVATIONS}
FACTOR = {"gain": NUMBERS | ACTIVATIONS}

PARTS = st.sampled_from(
    [
        parse(text)
        for text in (
            "zeros",
            "normal(0, 0.02)",
            "he_normal(gain='leaky_relu(0.2)')",
            "constant(-1)",
        )
    ]
)

ARGUMENTS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "zeros": {},
    "ones": {},
    "constant": {"value": NUMBERS},
    "uniform": {"low": st.floats(-1e9, 0), "high": st.floats(0, 1e9)},
    "normal": {"mean": NUMBERS, "std": NOT_NEGATIVE},
    "truncated_normal": {"std": POSITIVE, "cut": st.floats(0.1, 1e6)},
    "variance_scaling": {
        "scale": POSITIVE,
        "mode": st.sampled_from(["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]),
        "distribution": st.sampled_from(["normal", "truncated_normal", "uniform"]),
    },
    **{
        f"{rule}_{law}": GAIN
        for rule in ("lecun", "glorot", "he")
        for law in ("normal", "truncated_normal", "uniform")
    },
    "orthogonal": FACTOR,
    "scaled_orthogonal": FACTOR,
    "delta_orthogonal": FACTOR,
    "looks_linear": {**FACTOR, "mirror": st.sampled_from(["both", "outputs", "inputs"])},
    "mirrored": {**FACTOR, "mirror": st.sampled_from(["both", "outputs", "inputs"])},
    "centred_orthogonal": {**FACTOR, "sides": st.sampled_from(["both", "inputs"])},
    "sparse": {"sparsity": st.floats(0, 1), "std": NOT_NEGATIVE},
    "eye": FACTOR,
    "dirac": {"groups": st.integers(1, 64)},
    "identity_plus_noise": {"std": NOT_NEGATIVE, **FACTOR},
    "hadamard": FACTOR,
    "forget_gate": {"value": NUMBERS},
    "chrono": {"steps": st.floats(2, 1e9, exclude_min=True)},
    "blocks": {"parts": st.lists(PARTS, min_size=2, max_size=4).map(tuple)},
    "listed": {"numbers": st.lists(NUMBERS, min_size=1, max_size=9).map(tuple)},
    "keep": {},
    "torch_default": {},
    "keras_default": {},
    "jax_default": {},
}
"""Strategies for the arguments of each scheme."""


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Any scheme's name with any arguments, some of them left out.

    The test builds the scheme: the checker of annotations may not run inside a strategy.
    """
    name = draw(st.sampled_from(sorted(ARGUMENTS)))
    required = {
        argument
        for argument in ARGUMENTS[name]
        if argument in {"value", "high", "numbers", "parts"}
    }
    given = {
        argument: draw(values)
        for argument, values in ARGUMENTS[name].items()
        if argument in required or draw(st.booleans())
    }
    return name, given


TENSORS: dict[str, tuple[Layout, tuple[int, ...]]] = {
    "linear wide": (Layout.linear(), (64, 96)),
    "linear tall": (Layout.linear(), (96, 64)),
    "dense": (Layout.dense(), (96, 64)),
    "square": (Layout.linear(), (80, 80)),
    "fused": (Layout.stacked(3), (3 * 32, 48)),
    "embedding": (Layout.embedding(), (128, 32)),
    "experts": (Layout((2,), (1,), batch_axes=(0,)), (4, 24, 32)),
    "heads": (Layout((0,), (1, 2)), (48, 4, 32)),
    "conv1d": (Layout.conv(1), (48, 32, 4)),
    "conv2d strided": (Layout.conv(2, stride=4), (32, 16, 3, 3)),
    "conv2d wide": (Layout.conv(2), (16, 32, 3, 3)),
    "conv2d grouped": (Layout.conv(2, groups=4), (64, 8, 3, 3)),
    "conv2d depthwise": (Layout.conv(2, groups=256), (256, 1, 5, 5)),
    "conv3d": (Layout.conv(3), (16, 12, 3, 3, 3)),
    "conv2d transposed": (Layout.conv_transpose(2, stride=4), (16, 32, 4, 4)),
    "conv1d transposed, grouped": (Layout.conv_transpose(1, groups=4, stride=2), (64, 24, 4)),
    "conv2d channels last": (Layout((2,), (3,), kernel_axes=(0, 1)), (3, 3, 16, 32)),
    "depthwise channels last": (Layout((), (3,), (2,), (0, 1)), (3, 3, 128, 4)),
}
"""Layouts with a shape each, of some 5000 elements; the sizes are even."""
