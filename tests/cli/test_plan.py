"""`fanin plan` as a person types it."""

import json

import pytest

from fanin.recipes import Plan


@pytest.fixture
def script(folder):
    """The script of the other commands, with a batch."""
    known = (folder / "train.py").read_text()
    (folder / "train.py").write_text(
        known + "def batch():\n"
        "    import torch\n"
        "    return torch.linspace(-1, 1, 32).view(8, 4)\n"
        "def pair():\n"
        "    return (batch(),)\n"
        "def named():\n"
        "    return {'input': batch()}\n"
        "def chatty():\n"
        "    print('building')\n"
        "    return build()\n"
    )
    return folder


@pytest.mark.usefixtures("script")
def test_a_plan_is_shown_row_by_row(run):
    outcome = run("plan train.py:build --batch train.py:batch --recipe rezero")
    assert outcome.status == 0
    lines = outcome.out.splitlines()
    assert lines[0] == "plan: rezero"
    assert "0.weight  (8, 4)  kernel       4        8  input   lecun_normal(gain=" in outcome.out
    assert "fed by tanh" in next(line for line in lines if line.startswith("2.weight"))
    assert "nothing matches its rule for branch scales" in lines[-1]


@pytest.mark.usefixtures("script")
def test_types_decide_without_a_batch(run):
    outcome = run("plan train.py:chatty --recipe he_normal --rule 2.weight=zeros")
    assert outcome.status == 0
    assert "building" not in outcome.out
    assert "zeros" in next(line for line in outcome.out.splitlines() if line.startswith("2.weight"))
    assert run("plan train.py:build").status == 2


@pytest.mark.usefixtures("script")
def test_worst_first(run):
    outcome = run("plan train.py:build --batch train.py:pair --recipe lecture --worst --json")
    names = [row["name"] for row in json.loads(outcome.out)["rows"]]
    assert names[:2] == ["0.weight", "2.weight"]


def test_saved_compared_and_taken_up_again(run, script):
    saved = run("plan train.py:build --recipe he_normal --toml plan.toml")
    assert "wrote plan.toml" in saved.err
    assert Plan.load(script / "plan.toml").recipe == "he_normal"
    same = run("plan train.py:build --recipe he_normal --diff plan.toml")
    assert (same.status, same.out) == (0, "no difference in 4 parameters\n")
    other = run("plan train.py:build --recipe he_normal --rule 0.bias=ones --diff plan.toml")
    assert other.status == 1
    assert "~  0.bias  zeros   ones" in other.out
    stored = run("plan train.py:build --recipe lecture --diff plan.toml --json")
    assert len(json.loads(stored.out)["changed"]) == 2
    again = run("plan train.py:build --plan plan.toml")
    assert again.out == run("plan train.py:build --recipe he_normal").out


@pytest.mark.usefixtures("script")
def test_held_tells_whether_the_model_is_as_planned(run):
    right = run("plan train.py:build --recipe torch_default --held")
    assert (right.status, right.out) == (0, "4 of 4 parameters hold what the plan says\n")
    wrong = run("plan train.py:build --recipe lecture --held")
    assert wrong.status == 1
    assert "2 of" not in wrong.out
    assert json.loads(run("plan train.py:build --recipe ones --held --json").out)["ok"] is False


@pytest.mark.usefixtures("script")
def test_a_batch_by_name(run):
    by_position = run("plan train.py:build --batch train.py:batch --json")
    by_name = run("plan train.py:build --batch train.py:named --json")
    assert by_name.status == 0
    assert json.loads(by_name.out)["rows"] == json.loads(by_position.out)["rows"]


@pytest.mark.usefixtures("script")
def test_calibrated(run):
    outcome = run(
        "plan train.py:build --batch train.py:batch --recipe he --calibrate --seed 3 --json"
    )
    biases = [row["scheme"] for row in json.loads(outcome.out)["rows"] if row["role"] == "bias"]
    # The bias behind a centred signal has nothing to do.
    assert any(scheme.startswith("listed(") for scheme in biases)
    assert {scheme.partition("(")[0] for scheme in biases} <= {"listed", "zeros"}


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("plan train.py:build --recipe gtp2", 'did you mean "gpt2"'),
        ("plan train.py:build --recipe he --rule nope", "--rule is written NAME=SCHEME"),
        ("plan train.py:build --recipe he --rule nope=zeros", "matches no parameter"),
        ("plan train.py:build --plan none.toml", "cannot read none.toml"),
        ("plan train.py:build --plan x.toml --recipe he", "--plan takes a plan as it is"),
        ("plan train.py:build --diff none.toml", "cannot read none.toml"),
        ("plan train.py:build --diff a.toml --held", "one at a time"),
        ("plan train.py:build --recipe he --toml no/plan.toml", "cannot write no/plan.toml"),
        ("plan train.py:build --recipe he --calibrate", "sets the scales from a batch"),
        ("plan train.py:number", "is of type int"),
        ("plan missing.py:build", "there is no file missing.py"),
    ],
)
def test_mistakes(run, line, message):
    outcome = run(line)
    assert outcome.status == 2
    assert message in outcome.err
    assert outcome.out == ""
