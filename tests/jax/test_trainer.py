"""The JAX trainer against the torch trainer, and what every trainer owes a study.

How near is near: as in the torch trainer's own tests, 2^-23 for each step and weight that a loss
depends on; rules that divide a gradient by its size get the allowance they have there.
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.jax.cache import cache_folder, kept_programs
from fanin.jax.stretches import stretches
from fanin.jax.trainer import JaxTrainer
from fanin.studies.data import Part
from fanin.studies.trainer import Task, Trainer
from fanin.torch.trainer import TorchTrainer
from training_cases import blobs, case, curves_of, empty_curves

SCHEMES = ("he_normal", "orthogonal", "normal(0.1, 0.3)", "truncated_normal", "torch_default")


def near(task: Task) -> float:
    return 16 * task.design.steps * 2**-23


def test_it_is_a_trainer() -> None:
    assert isinstance(JaxTrainer(), Trainer)
    assert JaxTrainer().name.startswith(f"JAX {jax.__version__}, ")


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        ("4-1 sigmoid", {"optimizer": "rmsprop"}),
        ("4-6-3 relu", {"optimizer": "sgd(0.1)", "schemes": SCHEMES}),
        ("4-6-3 tanh", {"optimizer": "momentum(0.05)", "rules": {"layers.1.*": "zeros"}}),
        ("4-6-6-3 gelu norm=layer", {"optimizer": "adam"}),
        ("4-6-6-3 selu norm=batch", {"optimizer": "sgd(0.05)"}),
        ("4-6-3 silu softmax bias=no", {"optimizer": "adamw", "loss": "mse"}),
        ("4-6-3 softplus", {"optimizer": "rmsprop(0.01)", "repeats": 2, "orders": 3}),
    ],
)
def test_curves_are_those_of_the_torch_trainer(line: str, settings) -> None:
    classes = 2 if line.endswith("sigmoid") else 3
    task = case(line, blobs(classes=classes), epochs=3, seed=11, **settings)
    got, expected = curves_of(JaxTrainer(), task), curves_of(TorchTrainer(), task)
    np.testing.assert_allclose(got["loss"], expected["loss"], rtol=0, atol=near(task))
    np.testing.assert_allclose(got["accuracy"], expected["accuracy"], atol=1e-6)


def test_a_run_does_not_depend_on_its_company() -> None:
    whole = case("4-6-3 relu", blobs(classes=3), schemes=SCHEMES, repeats=4)
    together = curves_of(JaxTrainer(), whole)["loss"]
    for run in range(4):
        alone = curves_of(JaxTrainer(), whole, [run])["loss"]
        np.testing.assert_allclose(alone[:, :, 0], together[:, :, run], rtol=0, atol=near(whole))
    single = case("4-6-3 relu", blobs(classes=3), schemes=SCHEMES[1:2], repeats=4)
    alone = curves_of(JaxTrainer(), single)["loss"]
    np.testing.assert_allclose(alone[:, 0], together[:, 1], rtol=0, atol=near(whole))


def test_the_same_study_has_the_same_bits() -> None:
    task = case("4-6-3 relu dropout=0.2", blobs(classes=3))
    first, again = (curves_of(JaxTrainer(), task) for _ in range(2))
    np.testing.assert_array_equal(first["loss"], again["loss"])


def test_every_point_is_measured_and_ticks_add_up() -> None:
    task, ticks = case("4-5-1 tanh", blobs(), epochs=3), list[int]()
    curves = empty_curves(task, 2)
    JaxTrainer().run(task, task.design.runs[:2], curves, ticks.append)
    assert all(np.isfinite(curve).all() for curve in curves.values())
    assert sum(ticks) == task.design.steps
    assert (curves["loss"][0, :, :, -1] < curves["loss"][0, :, :, 0]).all()


def test_without_held_out_part_its_half_stays_empty() -> None:
    curves = curves_of(JaxTrainer(), case("4-1 sigmoid", blobs(held_out=0)))
    assert np.isfinite(curves["loss"][0]).all()
    assert np.isnan(curves["loss"][1]).all()


def test_measuring_in_blocks_is_measuring() -> None:
    """A memory that holds a single example at a time, and the last block padded."""
    task = case("4-6-3 relu", blobs(81, classes=3), batch_size=9)
    whole, blocks = curves_of(JaxTrainer(), task), curves_of(JaxTrainer(memory=2**13), task)
    np.testing.assert_allclose(blocks["loss"], whole["loss"], rtol=0, atol=near(task))
    np.testing.assert_array_equal(blocks["accuracy"], whole["accuracy"])


def test_a_training_that_diverges_is_lost_from_there_on() -> None:
    schemes = ("normal(0, 1e30)", "he_normal")
    task = case("4-6-3 linear", blobs(classes=3), schemes=schemes, optimizer="sgd(0.1)")
    loss = curves_of(JaxTrainer(), task)["loss"]
    assert np.isinf(loss[:, 0, :, 1:]).all()
    assert np.isfinite(loss[:, 1]).all()


def test_chunks_follow_from_the_memory_alone() -> None:
    task = case("4-64-64-3 relu", blobs(classes=3), repeats=500)
    assert JaxTrainer(memory=1).chunk(task) == 1
    less, more = (JaxTrainer(memory=2**power).chunk(task) for power in (20, 24))
    assert 1 <= less < more <= 500
    assert JaxTrainer().chunk(case("4-1", blobs(), repeats=3)) == 3


def test_a_regression_with_two_targets() -> None:
    data = blobs()
    rng = np.random.default_rng(0)
    parts = {
        name: Part(part.features, rng.normal(size=(len(part), 2)).astype(np.float32))
        for name, part in (("train", data.train), ("held_out", data.held_out))
        if part is not None
    }
    data = replace(data, kind="regression", classes=(), target_names=("a", "b"), **parts)
    task = case("4-5-2 relu", data, optimizer="sgd(0.05)")
    got, expected = curves_of(JaxTrainer(), task), curves_of(TorchTrainer(), task)
    assert set(got) == {"loss"}
    np.testing.assert_allclose(got["loss"], expected["loss"], rtol=0, atol=near(task))


def test_a_batch_norm_is_not_asked_for_the_variance_of_one_example() -> None:
    for settings in ({"batch_size": 16}, {"batch_size": 1}):
        task = case("4-6-3 relu norm=batch", blobs(81, classes=3), **settings)
        with pytest.raises(FaninError, match="single example, which has no variance"):
            JaxTrainer().chunk(task)


def test_dropout_hits_all_schemes_of_a_run_alike() -> None:
    schemes = ("constant(0.1)", "uniform(0.1, 0.1)")
    task = case("4-30-3 relu dropout=0.5", blobs(classes=3), schemes=schemes, optimizer="sgd(0.1)")
    wet = curves_of(JaxTrainer(), task)["loss"]
    np.testing.assert_allclose(wet[:, 0], wet[:, 1], rtol=1e-5)
    without = case("4-30-3 relu", blobs(classes=3), schemes=schemes, optimizer="sgd(0.1)")
    dry = curves_of(JaxTrainer(), without)["loss"]
    np.testing.assert_allclose(wet[..., 0], dry[..., 0], rtol=1e-6)
    assert (np.abs(wet[..., -1] - dry[..., -1]) > 1e-5).all()


@pytest.mark.parametrize(("examples", "batch_size", "most"), [(10, 4, 99), (12, 4, 1), (3, 8, 2)])
def test_stretches_take_every_step_once(examples: int, batch_size: int, most: int) -> None:
    per_epoch = -(-examples // batch_size)
    design = replace(
        case("4-1", blobs()).design,
        batch_size=batch_size,
        steps_per_epoch=per_epoch,
        steps=7,
        points=(0, 2, 3, 7),
    )
    done = list(stretches(design, examples, most, 0, design.points[1:]))
    taken = [(s.epoch, s.first + k) for s in done for k in range(s.count)]
    assert taken == [divmod(step, per_epoch) for step in range(7)]
    assert {2, 3, 7} <= {s.stop for s in done}
    assert all(s.count <= most for s in done)
    later = list(stretches(design, examples, most, 3, [7]))
    assert [(s.epoch, s.first) for s in later] == [(s.epoch, s.first) for s in done if s.stop > 3]
    for s in done:
        assert s.whole == ((s.first + s.count) * batch_size <= examples)


DEVICES = """
import sys
sys.path.insert(0, "tests/support")
import jax, numpy as np
from fanin.jax.trainer import JaxTrainer
from training_cases import blobs, case, curves_of
assert len(jax.devices()) == 3
task = case("4-6-3 relu", blobs(classes=3), repeats=4, schemes=("he_normal", "orthogonal"))
print(JaxTrainer().name, file=sys.stderr)
np.save(sys.argv[1], curves_of(JaxTrainer(), task)["loss"])
"""


def test_several_devices_share_the_runs(root: Path, tmp_path: Path) -> None:
    """Three devices for four runs, so that one of them is padded."""
    task = case("4-6-3 relu", blobs(classes=3), repeats=4, schemes=("he_normal", "orthogonal"))
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=3"}
    done = subprocess.run(
        [sys.executable, "-c", DEVICES, str(tmp_path / "loss.npy")],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "3 x cpu" in done.stderr
    got = np.load(tmp_path / "loss.npy")
    np.testing.assert_allclose(got, curves_of(JaxTrainer(), task)["loss"], rtol=0, atol=near(task))


def test_programs_are_kept_and_the_settings_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder().is_relative_to(tmp_path)
    before = jax.config.jax_persistent_cache_min_compile_time_secs
    with kept_programs():
        jax.jit(lambda x: jax.numpy.sort(x * 3.25 + 17))(np.arange(777.0)).block_until_ready()
        assert jax.config.jax_compilation_cache_dir == str(cache_folder())
    assert jax.config.jax_compilation_cache_dir is None
    assert jax.config.jax_persistent_cache_min_compile_time_secs == before


def test_a_folder_that_the_person_chose_stays(tmp_path: Path) -> None:
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    try:
        with kept_programs():
            assert jax.config.jax_compilation_cache_dir == str(tmp_path)
        assert jax.config.jax_compilation_cache_dir == str(tmp_path)
    finally:
        jax.config.update("jax_compilation_cache_dir", None)


def test_a_cache_folder_that_cannot_be_made_is_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fanin").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with kept_programs():
        assert jax.config.jax_compilation_cache_dir is None
