"""A start file holds what `init_` and `state_dict` would: bit for bit, and from little memory."""

import dataclasses
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, load_model
from torch import Tensor, nn
from torch.nn import utils
from torch.nn.utils import parametrizations

import fanin
from fanin.recipes import Plan, assign
from fanin.schemes import keep
from fanin.torch import container, stream
from fanin.torch.container import Container
from fanin.torch.stream import draft, write

RULES = {"shift": "normal(0, 0.1)"}


class Net(nn.Module):
    """Tied and padded, with statistics, gates, and buffers that do and do not persist."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.embed = nn.Embedding(30, 16, padding_idx=3)
        self.conv = nn.Conv1d(16, 8, 3, groups=2)
        self.norm = nn.BatchNorm1d(8)
        self.lstm = nn.LSTM(8, 8, bidirectional=True)
        self.attend = nn.MultiheadAttention(16, 2)
        self.shift = nn.Parameter(torch.zeros(16))
        self.head = nn.Linear(16, 30)
        self.head.weight = self.embed.weight
        self.register_buffer("depth_scale", torch.tensor(12.0).rsqrt())
        self.register_buffer("inv_freq", 10000.0 ** (-torch.arange(4) / 4), persistent=False)
        self.register_buffer("mask", torch.ones(5, 5).tril().bool())
        self.to(dtype)


class Wrapped(nn.Module):
    """Weights behind parametrisations of every kind."""

    def __init__(self) -> None:
        super().__init__()
        self.first = parametrizations.weight_norm(nn.Linear(16, 12))
        self.second = parametrizations.spectral_norm(nn.Linear(12, 12))
        self.third = utils.spectral_norm(nn.Linear(12, 6))


class Orthogonal(nn.Module):
    """A parametrisation that looks at its numbers when it is made."""

    def __init__(self) -> None:
        super().__init__()
        self.only = parametrizations.orthogonal(nn.Linear(12, 8))


def eager(build: Callable[[], nn.Module], scheme: Any, seed: int, rules: Any) -> dict[str, Tensor]:
    model = build()
    fanin.init_(model, scheme, seed, rules)
    return dict(model.state_dict())


def assert_holds(path: Path, state: dict[str, Tensor]) -> None:
    """The file holds every tensor of a state dict, under its name or that of its alias."""
    loaded = load_file(path)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    for name, tensor in state.items():
        held = loaded[metadata.get(name, name)]
        assert held.dtype is tensor.dtype, name
        assert torch.equal(held, tensor), name
    assert set(loaded) == {metadata.get(name, name) for name in state}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("scheme", ["lecun_normal", "orthogonal", "torch_default"])
def test_the_file_is_the_state_dict(tmp_path: Path, scheme: str, dtype: torch.dtype) -> None:
    path = tmp_path / "weights.safetensors"
    drafted = draft(lambda: Net(dtype), scheme, 5, RULES)
    assert all(parameter.is_meta for parameter in drafted.model.parameters())
    write(drafted, path)
    assert_holds(path, eager(lambda: Net(dtype), scheme, 5, RULES))


def test_in_pieces_it_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "PIECE", 7)
    monkeypatch.setattr(stream, "PIECE", 11)
    counts = list[int]()
    drafted = draft(Net, "lecun_normal", 1, RULES)
    write(drafted, tmp_path / "weights.safetensors", counts.append)
    assert_holds(tmp_path / "weights.safetensors", eager(Net, "lecun_normal", 1, RULES))
    assert sum(counts) == drafted.values
    assert len(counts) > drafted.values / 12


@pytest.mark.parametrize(
    ("build", "scheme", "notes"), [(Wrapped, "lecun_normal", 0), (Orthogonal, "orthogonal", 1)]
)
def test_parametrised_weights(
    build: Callable[[], nn.Module], scheme: str, notes: int, tmp_path: Path
) -> None:
    drafted = draft(build, scheme, 2)
    assert len(drafted.notes) == notes
    write(drafted, tmp_path / "w.safetensors")
    assert_holds(tmp_path / "w.safetensors", eager(build, scheme, 2, None))


def test_a_tied_weight_is_stored_once_and_loads(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    written = write(draft(Net, "lecun_normal", 0, RULES), path)
    assert written.tensors == len(load_file(path)) == len(Net().state_dict()) - 1
    expected = eager(Net, "lecun_normal", 0, RULES)
    for load in (
        lambda model: load_model(model, path),
        lambda model: model.load_state_dict(load_file(path), strict=False),
    ):
        model = Net()
        load(model)
        assert model.head.weight is model.embed.weight
        assert all(torch.equal(expected[name], t) for name, t in model.state_dict().items())


def test_the_header_tells_the_start(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    written = write(draft(Net, "lecun_normal", 9, RULES), path)
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    described = json.loads(raw[8 : 8 + length])
    metadata = described.pop("__metadata__")
    assert metadata["fanin.seed"] == "9"
    assert metadata["fanin.plan"] == written.plan
    assert metadata["fanin.version"] == fanin.__version__
    assert metadata["head.weight"] == "embed.weight"
    assert metadata["format"] == "pt"
    assert length % 8 == 0
    spans = sorted(entry["data_offsets"] for entry in described.values())
    assert spans[0][0] == 0
    assert [end for _, end in spans] == [*(start for start, _ in spans[1:]), len(raw) - 8 - length]
    for entry in described.values():
        size = {"F32": 4, "I64": 8, "BOOL": 1}[entry["dtype"]]
        assert entry["data_offsets"][0] % size == 0


def test_the_same_plan_has_the_same_fingerprint() -> None:
    plan = assign(fanin.torch.slots(Net()), "lecun_normal", RULES)
    first = draft(Net, plan).metadata()["fanin.plan"]
    assert draft(Net, "lecun_normal", 4, RULES).metadata()["fanin.plan"] == first
    assert draft(Net, "he_normal", 0, RULES).metadata()["fanin.plan"] != first


class Curious(nn.Module):
    """Looks at its numbers while it is built."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)
        assert self.layer.weight.abs().max().item() <= 1


class Derived(nn.Module):
    """Keeps a copy of its parameter as a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)
        self.register_buffer("shadow", self.layer.bias.detach().clone())


@pytest.mark.parametrize(
    ("build", "why"), [(Curious, "RuntimeError: "), (Derived, "shadow in Derived is computed")]
)
def test_a_model_that_needs_its_numbers_is_built_with_them(
    build: Callable[[], nn.Module], why: str, tmp_path: Path
) -> None:
    drafted = draft(build, "lecun_normal", 3)
    assert drafted.notes[0].startswith("the model was built in memory, because without (")
    assert why in drafted.notes[0]
    assert not any(parameter.is_meta for parameter in drafted.model.parameters())
    write(drafted, tmp_path / "w.safetensors")
    loaded, model = load_file(tmp_path / "w.safetensors"), build()
    fanin.init_(model, "lecun_normal", 3)
    assert all(torch.equal(loaded[name], tensor) for name, tensor in model.named_parameters())


def test_what_a_constructor_draws_follows_from_the_seed(tmp_path: Path) -> None:
    class Fourier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("frequencies", torch.randn(4))
            self.layer = nn.Linear(4, 2)

    files = [tmp_path / str(place) for place in range(3)]
    for path, seed in zip(files, (1, 1, 2), strict=True):
        write(draft(Fourier, "lecun_normal", seed), path)
    first, again, other = (load_file(path)["frequencies"] for path in files)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def kept(plan: Plan, name: str) -> Plan:
    rows = [
        dataclasses.replace(row, scheme=keep()) if row.name == name else row for row in plan.rows
    ]
    return dataclasses.replace(plan, rows=tuple(rows))


def test_a_plan_that_keeps_values_takes_them_from_the_factory(tmp_path: Path) -> None:
    def build() -> nn.Module:
        model = nn.Linear(3, 2)
        nn.init.constant_(model.weight, 7.0)
        return model

    plan = kept(assign(fanin.torch.slots(build()), "he_normal"), "weight")
    drafted = draft(build, plan)
    assert "the plan keeps values" in drafted.notes[0]
    write(drafted, tmp_path / "w.safetensors")
    loaded = load_file(tmp_path / "w.safetensors")
    assert torch.equal(loaded["weight"], torch.full((2, 3), 7.0))
    assert torch.equal(loaded["bias"], torch.zeros(2))


def test_what_cannot_be_stored() -> None:
    class Complex(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)
            self.register_buffer("phases", torch.ones(2, dtype=torch.complex128))

    class Extra(nn.Linear):
        def get_extra_state(self) -> str:
            return "a text"

    with pytest.raises(fanin.FaninError, match=r"phases is torch\.complex128, which a safetensors"):
        draft(Complex, "he_normal")
    drafted = draft(lambda: Extra(2, 2), "he_normal")
    assert drafted.notes == ("_extra_state is no tensor, so it is not in the file",)


def test_a_factory_that_fails() -> None:
    def build() -> nn.Module:
        raise RuntimeError("no GPU in this machine")

    with pytest.raises(fanin.FaninError, match="cannot be built: RuntimeError: no GPU"):
        draft(build, "he_normal")
    with pytest.raises(fanin.FaninError, match=r"must return a torch\.nn\.Module, got list"):
        draft(lambda: [nn.Linear(2, 2)], "he_normal")


class Pulled(Exception):
    """The plug."""


@pytest.mark.parametrize("problem", [Pulled(), KeyboardInterrupt()])
def test_an_interruption_leaves_what_was_there(tmp_path: Path, problem: BaseException) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_text("the old one")

    def tick(_: int) -> None:
        assert len(list(tmp_path.iterdir())) == 2, "it is being written beside"
        raise problem

    with pytest.raises(type(problem)):
        write(draft(Net, "lecun_normal", 0, RULES), path, tick)
    assert [other.name for other in tmp_path.iterdir()] == ["weights.safetensors"]
    assert path.read_text() == "the old one"


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, drafted = tmp_path / "weights.safetensors", draft(Net, "lecun_normal", 0, RULES)

    def put(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Container, "put", put)
        with pytest.raises(fanin.FaninError, match=r"was not written: the disk is full\. Nothing"):
            write(drafted, path)
    usage = shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(fanin.FaninError, match=r"takes .* GB, and the disk has 1e-06 GB left"):
        write(drafted, path)
    assert list(tmp_path.iterdir()) == []


def test_where_no_file_can_be(tmp_path: Path) -> None:
    drafted = draft(Net, "lecun_normal", 0, RULES)
    with pytest.raises(fanin.FaninError, match="is a folder: name a file in it"):
        write(drafted, tmp_path)
    with pytest.raises(fanin.FaninError, match=r"there is no folder .*nowhere"):
        write(drafted, tmp_path / "nowhere" / "w.safetensors")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(fanin.FaninError, match="no permission"):
        write(draft(Net, "lecun_normal", 0, RULES), tmp_path / "w.safetensors")


MEMORY = """
import resource, sys, torch
from pathlib import Path
from torch import nn
from fanin.torch.stream import draft, write
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def build(scale):
    return nn.Sequential(nn.Embedding(scale * 1000, 1000), nn.Linear(1000, scale * 100))
write(draft(lambda: build(7), "lecun_normal"), sys.argv[1])  # all that is loaded is loaded
before = peak()
written = write(draft(lambda: build(100), "lecun_normal"), sys.argv[1])
print(peak() - before, written.size)
"""


def test_a_file_larger_than_the_memory_it_takes(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    command = [sys.executable, "-c", MEMORY, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    more, size = map(int, run.stdout.split())
    assert size > 4.4e8
    assert path.stat().st_size > size
    # Three pieces of 16 MB: the draw, its bytes, and what the system keeps of the last ones.
    assert more < 60_000, "kilobytes on top of those for a model of a fourteenth of the size"
    drawn = fanin.schemes.lecun_normal().values(
        (100_000, 1000), seed=0, name="0.weight", fans=fanin.schemes.Fans(1, 1000)
    )
    with safe_open(path, "pt") as file:
        table = file.get_tensor("0.weight").numpy()
    assert hashlib.sha256(table).digest() == hashlib.sha256(drawn).digest()
