"""`fanin check`, `blame`, `lock` and `diff` as a person types them."""

import json
import subprocess
import sys
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import torch
from safetensors.torch import save_file

from fanin.checks.formats import SCHEMA
from fanin.cli.models import find_model

SCRIPT = """
import torch
from torch import nn

def good():
    print("building")
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))

def bad():
    model = good()
    model[0].bias = nn.Parameter(torch.empty(16))
    nn.init.normal_(model[2].weight.clone(), std=3)
    return model

def waved():
    model = good()
    model[0].bias = nn.Parameter(torch.empty(16))  # fanin: ignore[FI101]
    return model

def small():
    layers = [part for _ in range(8) for part in (nn.Linear(64, 64), nn.ReLU())]
    model = nn.Sequential(*layers, nn.Linear(64, 10))
    for layer in list(model)[::2]:
        nn.init.normal_(layer.weight, std=0.01)
        nn.init.zeros_(layer.bias)
    return model

def batch():
    return torch.randn(64, 8), torch.arange(64) % 4

def loss(output, target):
    return nn.functional.cross_entropy(output, target)

def fails():
    raise RuntimeError("no GPU here")

def leaves():
    raise SystemExit(0)

class Batch:
    def __init__(self, x):
        self.x = x

class Reader(nn.Linear):
    def forward(self, batch):
        assert isinstance(batch, Batch)
        return super().forward(batch.x)

def reader():
    return Reader(8, 4)

def own_batch():
    return Batch(torch.randn(64, 8))
"""


@pytest.fixture(autouse=True)
def script(tmp_path, monkeypatch):
    (tmp_path / "net.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("net", None)
    return tmp_path


def test_a_sound_start_ends_with_zero(run):
    outcome = run("check net.py:good --batch net.py:batch --loss net.py:loss")
    assert outcome.status == 0
    assert outcome.out.startswith("nothing is wrong with 4 tensors; birth ")
    assert "building" not in outcome.out
    assert "building" in outcome.err


def test_findings_end_with_one_and_name_the_line(run):
    outcome = run("check net.py:bad --batch net.py:batch")
    assert outcome.status == 1
    assert "error[FI101]" in outcome.out
    assert "net.py:11 in bad: model[0].bias = nn.Parameter(torch.empty(16))" in outcome.out
    assert "warning[FI104]" in outcome.out
    assert run("check net.py:bad --batch net.py:batch --select FI5").status == 0
    assert run("check net.py:bad --batch net.py:batch --ignore FI1").status == 0


def test_a_comment_waves_a_finding_off(run):
    outcome = run("check net.py:waved --batch net.py:batch")
    assert "FI101" not in outcome.out


def test_the_limit_is_chosen(run, script):
    (script / "pyproject.toml").write_text('[tool.fanin.check]\nignore = ["FI101", "FI102"]\n')
    assert run("check net.py:bad --probes values,birth").status == 1
    assert run("check net.py:bad --probes values,birth --fail-on error").status == 0


@pytest.mark.parametrize("form", ["json", "junit", "sarif", "github", "html"])
def test_every_form_is_written(run, script, form):
    outcome = run(f"check net.py:bad --batch net.py:batch --format {form} -o report.{form}")
    assert outcome.status == 1
    text = (script / f"report.{form}").read_text()
    if form == "json":
        jsonschema.validate(json.loads(text), SCHEMA)
    if form == "junit":
        assert ET.fromstring(text).attrib["name"] == "fanin check"
    assert "FI101" in text


def test_json_on_stdout_is_json_alone(run, script):
    (script / "net.py").write_text(f"print('imported'){SCRIPT}")
    outcome = run("check net.py:good --json")
    jsonschema.validate(json.loads(outcome.out), SCHEMA)
    assert "imported" in outcome.err


def test_what_one_function_makes_is_what_another_one_knows(run):
    assert run("check net.py:reader --batch net.py:own_batch").status == 0


def test_the_batch_is_the_same_each_time(run):
    first, again = (
        json.loads(run("check net.py:good --batch net.py:batch --loss net.py:loss --json").out)
        for _ in range(2)
    )
    assert first["loss"] == again["loss"]


def test_a_shape_makes_a_batch(run):
    outcome = run("check net.py:small --input 64x64 --classes 10")
    assert outcome.status == 1
    assert "below he_normal for fan_in 64" in outcome.out


def test_every_token_has_a_target(run, script):
    (script / "net.py").write_text(
        f"{SCRIPT}\ndef lm():\n    return nn.Sequential(nn.Embedding(50, 16), nn.Linear(16, 7))\n"
    )
    outcome = run("check net.py:lm --input 4x6 --tokens 50 --classes 7 --json")
    assert json.loads(outcome.out)["loss"]["name"] == "cross entropy with the batch's target"


def test_quiet_leaves_remarks_out(run, script):
    (script / "pyproject.toml").write_text('[tool.fanin.check.severity]\nFI1 = "info"\n')
    line = "check net.py:bad --probes values,birth"
    assert "info[FI101]" in run(line).out
    assert "info[" not in run(f"{line} --quiet").out


def test_what_is_ignored_by_option_adds_to_the_settings(run, script):
    (script / "pyproject.toml").write_text('[tool.fanin.check]\nignore = ["FI101", "FI102"]\n')
    assert run("check net.py:bad --probes values,birth --ignore FI104").status == 0


def test_fixed_and_saved(run, script):
    outcome = run("check net.py:small --input 64x64 --classes 10 --fix --save fixed.safetensors")
    assert outcome.status == 0
    assert outcome.out.count("fixed: ") >= 7
    assert (script / "fixed.safetensors").is_file()
    assert run("check fixed.safetensors").status == 0


def test_what_no_layer_tells_of_is_not_filled_and_that_is_said(run, script):
    save_file({"a.weight": torch.full((4, 4), torch.nan)}, "broken.safetensors")
    outcome = run("check broken.safetensors --fix --save same.safetensors")
    assert outcome.status == 1
    assert "nothing was changed in a.weight: no layer tells what it is for" in outcome.out
    assert (script / "same.safetensors").is_file()


SMALL = "num_hidden_layers=1, hidden_size=32, num_attention_heads=2, vocab_size=64"


@pytest.mark.parametrize(
    ("name", "settings", "built"),
    [
        ("gpt2", "n_layer=1, n_embd=32, n_head=2, vocab_size=64", "GPT2LMHeadModel"),
        ("bert", f"{SMALL}, intermediate_size=64", "BertForMaskedLM"),
        ("t5", "num_layers=1, d_model=32, d_kv=16, num_heads=2, vocab_size=64", "T5For"),
        (
            "vit",
            "num_hidden_layers=1, hidden_size=24, num_attention_heads=2, image_size=32",
            "ViTForImage",
        ),
    ],
)
def test_a_model_of_transformers_by_name(run, script, name, settings, built):
    outcome = run(f'check "hf:{name}({settings})" --quiet --probes values,signal')
    assert (outcome.status, outcome.out[:16]) == (0, "nothing is wrong"), outcome
    assert "; signal " in outcome.out
    model = find_model(f"hf:{name}({settings})").build()
    assert type(model).__name__.startswith(built)
    kind = {"model_type": name}
    (script / "config.json").write_text(json.dumps({**model.config.to_dict(), **kind}))
    assert type(find_model("hf:config.json").build()) is type(model)


def test_one_setting_of_a_configuration_follows_from_another():
    decoder = find_model("hf:t5(num_layers=1, d_model=32, num_heads=2, vocab_size=64)").build()
    assert len(decoder.decoder.block) == 1


def test_weights_alone(run):
    save_file({"a.weight": torch.tensor([1.0, float("nan")])}, "broken.safetensors")
    outcome = run("check broken.safetensors")
    assert outcome.status == 1
    assert "error[FI102]" in outcome.out
    assert "birth" not in outcome.out


def test_locked_kept_and_changed(run):
    assert run("lock net.py:good -o fanin.lock").status == 0
    assert run("check net.py:good --lock fanin.lock").status == 0
    changed = run("check net.py:bad --lock fanin.lock --select FI8")
    assert changed.status == 1
    assert "not as locked: values" in changed.out
    assert run("diff fanin.lock net.py:good").status == 0
    assert run("diff net.py:good net.py:good --other-seed 1").status == 0
    assert run("diff fanin.lock net.py:small --json").status == 1


def test_blame(run):
    outcome = run("blame net.py:bad")
    assert outcome.status == 1
    assert outcome.out.splitlines()[2].startswith("1 never written, in whole or in part: 0.bias.")
    assert run("blame net.py:good").status == 0
    told = json.loads(run("blame net.py:good --json").out)
    assert told["tensors"][0]["writes"][0]["function"] == "nn.init.kaiming_uniform_"
    assert "Writes to 0.weight" in run('blame net.py:good --tensor "0.*"').out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("check net.py:fails", "the build fails at"),
        ("check net.py:leaves", "the build fails at"),
        ("check net.py:nothing", "has no nothing"),
        ("check net.py:good --batch net.py:fails", "which makes the batch, fails: RuntimeError"),
        ("check net.py:good --batch batch", "write train.py:batch"),
        ("check net.py:good --batch net.py:batch --loss mse", "write train.py:loss"),
        ("check net.py:good --loss net.py:loss", "loss needs a batch"),
        ("check net.py:good --probes signal", 'the probe "signal" needs a batch'),
        ("check net.py:good --ranks 0", "ranks is a number of processes, at least 1, got 0"),
        ("check net.py:good --seed -1", "seed must lie between 0 and 2**64 - 1, got -1"),
        (f"check net.py:good --seed {2**64}", "seed must lie between 0"),
        ("check hf:gtp2", 'did you mean "gpt2"'),
        ("check hf:gpt2(n_layr=2)", 'did you mean "n_layer"'),
        ("check hf:gpt2(2)", "is written hf:NAME"),
        ("check \"hf:gpt2(n_layer='a')\"", "gpt2 cannot be configured so: "),
        ("check hf:gpt2(n_embd=33,n_head=2)", "the build fails at"),
        ("check hf:wav2vec2(num_hidden_layers=1)", "takes input_values, which cannot be made up"),
        ("check hf:nowhere/config.json", "there is no file nowhere/config.json"),
        ("check net.py:good --probes vales", "there is no probe 'vales'"),
        ("check net.py:good --ignore FI9", 'no rule is called "FI9"'),
        ("check net.py:good --fail-on bad", "must be one of error, warning, info"),
        ("check net.py:good --classes 4", "need a shape"),
        ("check net.py:good --input 8y8", "is a shape such as"),
        ("check net.py:good --batch net.py:batch --input 8x8", "leave out --input"),
        ("check net.py:good --input 8x5", "failed in 0 (Linear) on the batch"),
        ("check net.py:good --plan gtp2", "gtp2"),
        ("check net.py:good --lock nowhere.lock", "there is no file nowhere.lock"),
        ("check held.safetensors --input 2x2", "holds weights and no layers"),
        ("check text.safetensors", "is no safetensors file"),
        ("check nowhere.safetensors", "there is no file nowhere.safetensors"),
        ("check net.py:good --ranks 2 --probes values", "ranks builds the model in several"),
        ("check net.py:good --prove", "a proof trains the model on a batch"),
        ("check net.py:good --save x.safetensors", "--save keeps what --fix mended"),
        ("explain FI999", 'there is no rule "FI999"'),
        ("diff net.py:good net.py:good --rename x", "--rename is written OLD=NEW"),
    ],
)
def test_what_cannot_be_done_ends_with_two(run, script, line, said):
    save_file({"a.weight": torch.ones(2, 2)}, "held.safetensors")
    (script / "text.safetensors").write_text("no weights")
    outcome = run(line)
    assert outcome.status == 2
    assert said in outcome.err
    assert outcome.out == ""


def test_the_last_of_all_seeds_has_another_beside_it(run):
    assert run(f"check net.py:good --seed {2**64 - 1}").status == 0


def test_every_rule_has_a_page_with_all_headings(run):
    from fanin.checks import rules
    from fanin.checks.rule import HEADINGS

    for rule in rules():
        page = run(f"explain {rule.code}").out
        missing = [heading for heading in HEADINGS if f"\n{heading}:" not in page]
        assert not missing, (rule.code, missing)
    assert len({rule.code for rule in rules()}) == len(rules())


def test_an_ascii_pipe_is_enough(script):
    done = subprocess.run(
        [sys.executable, "-m", "fanin", "check", "net.py:good", "--quiet"],
        cwd=script,
        env={"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
