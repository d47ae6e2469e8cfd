"""A start as a text, and two starts compared."""

import math
from dataclasses import replace

import numpy as np
import pytest

from fanin import FaninError
from fanin.checks.starts import Figures, Start, compared, read_lock, written_lock


def drawn(seed, size=(64, 64), scale=0.02, law="normal"):
    """The figures of real draws, computed by NumPy."""
    source = np.random.default_rng(seed)
    values = (
        source.normal(0, scale, size)
        if law == "normal"
        else source.uniform(-scale * 3**0.5, scale * 3**0.5, size)
    )
    centred = (values - values.mean()) / values.std()
    return Figures(
        size,
        "float32",
        float(values.mean()),
        float(values.std()),
        float(values.min()),
        float(values.max()),
        kurtosis=float((centred**4).mean()),
        random=True,
        digest=str(seed),
    )


def changes(one, other):
    delta = compared(Start("a", 0, {"w": one}), Start("b", 0, {"w": other}))
    return [change.what for change in delta.changes], delta


def test_a_lock_reads_back(tmp_path):
    odd = replace(drawn(0), law='he "x"', writer="normal_(std=1) in a.py:f\\g", mean=math.nan)
    start = Start(
        "train.py:build", 7, {'a "b".c': odd, "one": Figures((), "int64", 1.0, 0.0, 1.0, 1.0)}
    )
    start.save(tmp_path / "fanin.lock")
    back = read_lock(tmp_path / "fanin.lock")
    assert repr(back) == repr(start)
    assert written_lock(start).count("\n") == 8


@pytest.mark.parametrize("seed", range(30))
def test_two_draws_of_one_law_are_drawn_anew(seed):
    what, delta = changes(drawn(seed), drawn(seed + 1000))
    assert what == ["drawn anew"]
    assert delta.ok


def test_another_scale_law_and_shape_show():
    assert changes(drawn(0), drawn(1, scale=0.024))[0] == ["scale"]
    assert changes(drawn(0), drawn(1, law="uniform"))[0] == ["law"]
    assert changes(drawn(0), drawn(1, size=(64, 32)))[0] == ["shape"]
    assert changes(drawn(0), replace(drawn(1), dtype="bfloat16"))[0] == ["dtype"]
    shifted = drawn(1)
    assert changes(drawn(0), replace(shifted, mean=shifted.mean + 0.005))[0] == ["mean"]


def test_the_ratio_is_the_one_of_the_scales():
    _, delta = changes(drawn(0), drawn(1, scale=0.04))
    assert delta.changes[0].ratio == pytest.approx(2, rel=0.1)
    assert not delta.ok


def test_what_is_not_drawn_has_to_agree():
    table = replace(drawn(0), random=False)
    assert changes(table, replace(table, digest="x"))[0] == ["values"]
    ones = Figures((4,), "float32", 1, 0, 1, 1)
    zeros = Figures((4,), "float32", 0.0, 0.0, 0.0, 0.0)
    assert changes(ones, zeros)[0] == ["values"]
    assert changes(ones, ones)[0] == []
    assert changes(drawn(0), replace(zeros, shape=(64, 64)))[0] == ["values"]


def test_nan_does_not_slip_through():
    broken = replace(drawn(0), mean=math.nan, std=math.nan, digest="y")
    assert changes(drawn(1), broken)[0] == ["values"]


def test_a_mask_of_infinities_is_told_by_its_digest():
    mask = Figures((4, 4), "float32", math.nan, math.nan, -math.inf, 0.0, random=False, digest="x")
    assert changes(mask, mask)[0] == []
    assert changes(mask, replace(mask, digest="y"))[0] == ["values"]
    unwatched = replace(mask, random=None)
    assert changes(unwatched, replace(unwatched, digest="y"))[0] == ["drawn anew"]


def test_a_renamed_tensor_has_to_be_there():
    one, other = Start("a", 0, {"old": drawn(0)}), Start("b", 0, {"new": drawn(0)})
    with pytest.raises(FaninError, match=r'a has no tensor odl .* did you mean "old"'):
        compared(one, other, {"odl": "new"})
    with pytest.raises(FaninError, match="b has no tensor nwe"):
        compared(one, other, {"old": "nwe"})


def test_another_writer_is_told_and_does_not_count():
    one = replace(drawn(0), writer="normal_(std=0.02) in a.py:f")
    what, delta = changes(one, replace(one, writer="normal_(std=0.02) in b.py:g"))
    assert what == ["writer"]
    assert delta.ok


def test_missing_and_added_and_renamed():
    one = Start("a", 0, {"old": drawn(0), "gone": drawn(1)})
    other = Start("b", 0, {"new": drawn(0), "more": drawn(2)})
    delta = compared(one, other, {"old": "new"})
    assert [(change.name, change.what) for change in delta.changes] == [
        ("gone", "missing"),
        ("more", "added"),
    ]
    assert delta.same == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "is no lock"),
        ("x = ", "cannot be read"),
        ('format = "fanin-lock-1"\nsource = "a"\nseed = 0\n[tensors]\n"w" = {mean = 1}', "damaged"),
        ('format = "fanin-lock-1"\nsource = "a"\nseed = 0\ntensors = 3', "damaged"),
    ],
)
def test_a_damaged_lock_is_named(tmp_path, text, said):
    path = tmp_path / "fanin.lock"
    path.write_text(text)
    with pytest.raises(FaninError, match=said):
        read_lock(path)


def test_a_missing_lock_says_how_to_make_one(tmp_path):
    with pytest.raises(FaninError, match=r"`fanin lock train\.py:build -o"):
        read_lock(tmp_path / "fanin.lock")
