"""A pure function as the network of a study."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.jax import Model
from fanin.jax.trainer import JaxTrainer
from training_cases import blobs, case, curves_of


def apply(params, features):
    hidden = jax.nn.relu(features @ params["first"]["kernel"] + params["first"]["bias"])
    return hidden @ params["last"]["kernel"] + params["last"]["bias"]


def init(key):
    first, last = jax.random.split(key)
    return {
        "first": {"kernel": jax.random.normal(first, (4, 6)), "bias": jnp.zeros(6)},
        "last": {"kernel": jax.random.normal(last, (6, 3)), "bias": jnp.zeros(3)},
    }


def test_roles_and_fans_are_read_as_jax_initializers_read_them() -> None:
    params = {"conv": {"kernel": jnp.zeros((3, 3, 8, 16))}, "norm": {"scale": jnp.ones(16)}}
    conv, norm = Model(lambda _, x: x, params).function().slots
    assert (conv.name, str(conv.role)) == ("conv.kernel", "kernel")
    assert (conv.fans.fan_in, conv.fans.fan_out) == (72, 144)
    assert (norm.name, str(norm.role)) == ("norm.scale", "norm gain")


def test_it_trains_like_the_network_of_the_grammar() -> None:
    """Kernels of one value have no orientation, so both start alike and stay so."""
    schemes, data = ("constant(0.1)", "zeros"), blobs(classes=3)
    settings = {"schemes": schemes, "optimizer": "sgd(0.1)", "loss": "cross_entropy"}
    ours = curves_of(JaxTrainer(), case(Model(apply, init), data, **settings))
    line = curves_of(JaxTrainer(), case("4-6-3 relu", data, **settings))
    np.testing.assert_allclose(ours["loss"], line["loss"], rtol=1e-5)


def test_a_scheme_that_keeps_keeps_the_values_of_params() -> None:
    params = init(jax.random.key(3))
    data = blobs(classes=3)
    task = case(Model(apply, params), data, schemes=("keep",), loss="cross_entropy")
    logits = jax.nn.log_softmax(apply(params, jnp.asarray(data.train.features)))
    expected = -np.asarray(logits)[np.arange(len(data.train)), data.train.target].mean()
    loss = curves_of(JaxTrainer(), task)["loss"]
    np.testing.assert_allclose(loss[0, 0, :, 0], expected, rtol=1e-5)


def test_parameters_that_are_no_floats_are_left_alone() -> None:
    params = {"kernel": jnp.ones((4, 3)), "order": jnp.array([2, 0, 1])}
    model = Model(lambda p, x: (x @ p["kernel"])[:, p["order"]], params)
    assert [slot.name for slot in model.function().slots] == ["kernel"]
    task = case(model, blobs(classes=3), loss="cross_entropy")
    assert np.isfinite(curves_of(JaxTrainer(), task)["loss"]).all()


def broken(params, features):
    del params, features
    raise ValueError("not today")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Model(broken, init), r"failed on a batch of .* shape \(16, 4\), 16 examples: ValueError"),
        (Model(lambda _, x: x, init), r"outputs of shape \(16, 4\); the loss cross_entropy .* 3\)"),
        (Model(lambda _, x: x[:, :3] > 0, init), "must return floating-point numbers, got bool"),
        (Model(apply, {}), "hold no array"),
        (Model(apply, {"a": "text"}), "must be a tree of arrays, and a is str"),
        (Model(apply, lambda _: 1 / 0), "this function failed: ZeroDivisionError"),
    ],
)
def test_a_model_that_does_not_fit(model: Model, said: str) -> None:
    task = case(model, blobs(classes=3), loss="cross_entropy")
    with pytest.raises(FaninError, match=said):
        JaxTrainer().chunk(task)


def test_a_changed_function_is_another_network() -> None:
    """Its name stays the same, and its operations tell."""
    data = blobs(classes=3)
    described = [
        JaxTrainer().describe(case(Model(own, init), data, loss="cross_entropy"))
        for own in (apply, lambda params, x: jnp.tanh(apply(params, x)))
    ]
    assert described[0].model != described[1].model
    assert described[0] == JaxTrainer().describe(
        case(Model(apply, init), data, loss="cross_entropy")
    )
    assert described[0].plans["he_normal"][1]["fan_in"] == 4


def test_a_store_of_the_jax_trainer_goes_on_with_the_same_bits(tmp_path) -> None:
    from fanin.studies.run import run_study

    task = case("4-6-3 relu", blobs(classes=3), repeats=5)
    whole = run_study(task, JaxTrainer(), chunk=2)
    calls = 0

    def stop(steps: int) -> None:
        nonlocal calls
        calls += steps
        if calls > 50:
            raise KeyboardInterrupt

    part = run_study(task, JaxTrainer(), stop, store=tmp_path / "s.zarr", chunk=2)
    assert part.stopped
    again = run_study(task, JaxTrainer(), store=tmp_path / "s.zarr", chunk=2)
    for name, values in whole.dataset.data_vars.items():
        np.testing.assert_array_equal(again.dataset[name], values)
