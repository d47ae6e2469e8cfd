"""What biases, gains and embeddings get: against the frameworks' own layers where they are here."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fanin.recipes import Role, Slot, companion
from fanin.schemes import Fans, Layout, Scheme, as_scheme, constant, names, orthogonal

NEEDS_ARGUMENTS = {
    "constant": "constant(2)",
    "listed": "listed(1, 2)",
    "blocks": "blocks(zeros, ones)",
}


def slot(role: Role, fans: Fans | None = None, **more: Any) -> Slot:
    known = Slot("layer.parameter", (8,), role, None, fans, "Layer")
    return replace(known, **more)


def numbers(variable: Any) -> Any:
    """Values of a Keras variable on the torch backend, which the suite sets."""
    return variable.value.detach().cpu().numpy()


def chosen(scheme: str, asked: Slot) -> Scheme:
    return companion(as_scheme(scheme), asked)[0]


@pytest.mark.parametrize("name", [name for name in names() if not name.endswith("default")])
def test_what_is_not_summed_over_starts_neutral_whatever_the_scheme(name: str) -> None:
    scheme = NEEDS_ARGUMENTS.get(name, name)
    assert str(chosen(scheme, slot(Role.BIAS, Fans(4, 8)))) == "zeros"
    assert str(chosen(scheme, slot(Role.NORM_GAIN))) == "ones"
    assert str(chosen(scheme, slot(Role.NORM_OFFSET))) == "zeros"
    assert chosen(scheme, slot(Role.KERNEL, Fans(4, 8))) == as_scheme(scheme)
    assert chosen(scheme, slot(Role.EMBEDDING, Fans(1, 8))) == as_scheme(scheme)


@pytest.mark.parametrize("scheme", ["he_normal", "torch_default", "keras_default"])
def test_a_value_of_the_layers_own_is_kept(scheme: str) -> None:
    assert chosen(scheme, slot(Role.OTHER, native=constant(0.25))) == constant(0.25)


def test_torch_gives_biases_the_bound_of_the_weight() -> None:
    law = chosen("torch_default", slot(Role.BIAS, Fans(25, 8))).promised()
    assert law.std == pytest.approx(0.2 / math.sqrt(3))
    assert str(chosen("torch_default", slot(Role.BIAS))) == "zeros"
    assert str(chosen("torch_default", slot(Role.EMBEDDING, Fans(1, 8)))) == "normal(0, 1)"


@pytest.mark.parametrize("scheme", ["keras_default", "jax_default"])
def test_keras_and_flax_start_recurrent_kernels_orthogonal(scheme: str) -> None:
    recurrent = slot(Role.KERNEL, Fans(8, 8), layout=Layout.linear(), recurrent=True)
    assert chosen(scheme, recurrent) == orthogonal()
    assert str(chosen(scheme, slot(Role.BIAS, Fans(4, 8)))) == "zeros"


def test_flax_embeddings_have_variance_one_over_features() -> None:
    """Flax 0.12: `default_embed_init = variance_scaling(1.0, 'fan_in', 'normal', out_axis=0)`."""
    std = chosen("jax_default", slot(Role.EMBEDDING, Fans(1, 16))).promised().std
    assert std == pytest.approx(0.25)


def test_keras_default_is_what_keras_layers_start_with() -> None:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    dense, lookup = keras.layers.Dense(200), keras.layers.Embedding(300, 200)
    lstm = keras.layers.LSTM(40)
    dense.build((None, 300))
    lookup.build((None, 7))
    lstm.build((None, 7, 40))
    kernel = slot(Role.KERNEL, Fans(300, 200), layout=Layout.linear())
    embedding = slot(Role.EMBEDDING, Fans(1, 200))
    # The relative error of the std of n uniform values is sqrt(0.2 / n): 5 of them for 60 000.
    tolerance = 5 * math.sqrt(0.2 / 60_000)
    for weight, asked in ((dense.kernel, kernel), (lookup.embeddings, embedding)):
        promised = chosen("keras_default", asked).promised(asked.fans).std
        assert numbers(weight).std() == pytest.approx(promised, rel=tolerance)
    recurrent = numbers(lstm.cell.recurrent_kernel)
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(40), atol=1e-5)
    assert not numbers(dense.bias).any()
