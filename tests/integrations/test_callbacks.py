"""The callbacks for Lightning and for the Trainer of transformers, driven as those drive them."""

import importlib
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from fanin import FaninError
from fanin.integrations.once import check_once
from fanin.integrations.transformers import FaninCallback


def healthy():
    return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))


def broken():
    model = healthy()
    nn.init.constant_(model[3].bias, float("nan"))
    return model


class Keyed(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = healthy()

    def forward(self, x, labels):
        out = self.net(x)
        return {"loss": nn.functional.cross_entropy(out, labels), "logits": out}


def loader():
    rows = [{"x": torch.randn(8), "labels": i % 4} for i in range(32)]
    return torch.utils.data.DataLoader(rows, batch_size=16, shuffle=True)


def state():
    # Of torch alone: what checks the types of the suite draws from Python's own generator.
    return torch.get_rng_state().tolist()


def begins(callback, model, *, step=0, first=True, **given):
    stands = SimpleNamespace(global_step=step, is_world_process_zero=first)
    callback.on_train_begin(SimpleNamespace(seed=3), stands, None, model=model, **given)


def test_the_trainer_is_told_nothing_of_a_sound_model(capsys):
    model, data = Keyed(), loader()
    before = state(), {name: held.clone() for name, held in model.state_dict().items()}
    begins(FaninCallback(), model, train_dataloader=data)
    assert capsys.readouterr().err == ""
    assert state() == before[0]
    assert all(torch.equal(held, before[1][name]) for name, held in model.state_dict().items())
    assert all(own.grad is None for own in model.parameters())


def test_the_trainer_is_stopped_before_the_first_step(capsys):
    model = Keyed()
    model.net = broken()
    with pytest.raises(FaninError, match=r"not started right \(FI102\), and fail_on='error'"):
        begins(FaninCallback(), model, train_dataloader=loader())
    assert "error[FI102]" in capsys.readouterr().err
    begins(FaninCallback(fail_on=None), model, train_dataloader=loader())
    assert "error[FI102]" in capsys.readouterr().err


@pytest.mark.parametrize(
    "where", [{"step": 5}, {"first": False}, {"train_dataloader": None}], ids=str
)
def test_the_trainer_is_not_checked_where_nothing_starts(capsys, where):
    begins(FaninCallback(), broken(), **{"train_dataloader": loader(), **where})
    assert capsys.readouterr().err == ""


@pytest.fixture
def for_lightning(tmp_path, monkeypatch):
    """The callback over a Lightning that has nothing but the class it derives from."""
    package = tmp_path / "lightning" / "pytorch"
    package.mkdir(parents=True)
    (tmp_path / "lightning" / "__init__.py").write_text("")
    (package / "__init__.py").write_text("class Callback:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    names = ("lightning", "lightning.pytorch", "fanin.integrations.lightning")
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module(names[-1]).FaninCallback
    for name in names:
        sys.modules.pop(name, None)


def test_lightning_is_stopped_at_the_first_batch_alone(for_lightning):
    batch = [torch.randn(16, 8), torch.arange(16) % 4]
    callback = for_lightning(loss=nn.functional.cross_entropy)
    for step, place, first in [(3, 0, True), (0, 1, True), (0, 0, False)]:
        trainer = SimpleNamespace(global_step=step, is_global_zero=first)
        callback.on_train_batch_start(trainer, broken(), batch, place)
    trainer = SimpleNamespace(global_step=0, is_global_zero=True)
    callback.on_train_batch_start(trainer, healthy(), batch, 0)
    with pytest.raises(FaninError, match="FI102"):
        callback.on_train_batch_start(trainer, broken(), batch, 0)


def test_without_lightning_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.delitem(sys.modules, "fanin.integrations.lightning", raising=False)
    with pytest.raises(FaninError, match="pip install lightning"):
        importlib.import_module("fanin.integrations.lightning")


def test_a_model_that_is_trained_without_its_forward_pass_is_read(capsys):
    class Steps(nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def training_step(self, batch):
            return self.net(batch[0]).sum()

    batch = (torch.randn(16, 8), torch.arange(16) % 4)
    report = check_once(Steps(healthy()), batch, None, "error")
    assert report.ok
    assert "note: no pass was made: Steps failed on the batch" in capsys.readouterr().err
    with pytest.raises(FaninError, match="FI102"):
        check_once(Steps(broken()), batch, None, "error")
