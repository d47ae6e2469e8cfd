"""Who wrote what, for every way to write."""

import copy
import os
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from fanin import FaninError
from fanin.torch.births import record


def writes(births, name):
    return [(write.function, write.by) for write in births.of(name).writes]


def line_of(write):
    return write.frames[0].text


def test_initialisers_are_named_with_their_arguments_and_line():
    def build():
        layer = nn.Linear(4, 2)
        nn.init.trunc_normal_(layer.weight, std=0.02)
        return layer

    _, births = record(build)
    last = births.of("weight").last
    assert last.function == "nn.init.trunc_normal_"
    assert "std=0.02" in last.arguments
    assert line_of(last) == "nn.init.trunc_normal_(layer.weight, std=0.02)"
    assert last.frames[0].function.endswith("build")
    assert writes(births, "weight")[0] == ("nn.init.kaiming_uniform_", "constructor")
    assert births.ok


WAYS = {
    "normal_": lambda w: w.data.normal_(),
    "mul_": lambda w: w.detach().mul_(2),
    "copy_": lambda w: w.data.copy_(torch.ones(2, 4)),
    "__setitem__": lambda w: w.data.__setitem__([0, 1], 3.0),
    "nn.init.orthogonal_": nn.init.orthogonal_,
    "nn.init.xavier_uniform_": lambda w: nn.init.xavier_uniform_(w, gain=2.0),
}


@pytest.mark.parametrize("function", WAYS)
def test_every_way_to_write_is_one_write(function):
    def build():
        layer = nn.Linear(4, 2)
        WAYS[function](layer.weight)
        return layer

    model, births = record(build)
    assert [name for name, _ in writes(births, "weight")] == ["nn.init.kaiming_uniform_", function]
    after = births.of("weight").last.after
    assert after.mean == pytest.approx(model.weight.mean().item(), abs=1e-6)
    assert after.std == pytest.approx(model.weight.std(correction=0).item(), rel=1e-5)
    assert not births.lost


def test_memory_that_nobody_wrote_is_found_in_whole_and_in_part():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.whole = nn.Parameter(torch.empty(4))
            self.part = nn.Parameter(torch.empty(4, 5))
            self.part.data[1:] = 0.5
            self.legacy = nn.Parameter(torch.Tensor(3, 2))
            self.register_buffer("table", torch.empty(6))
            self.fine = nn.Parameter(torch.empty(4).fill_(1))
            self.cast = nn.Parameter(torch.empty(4).bfloat16())

    model, births = record(Net)
    missing = {birth.name: birth.unwritten for birth in births.tensors if birth.unwritten}
    assert missing == {"whole": 1.0, "part": 0.25, "legacy": 1.0, "table": 1.0, "cast": 1.0}
    assert torch.isnan(model.whole).all()
    assert births.of("whole").allocation.function == "torch.empty"


SELECTING = {
    "__setitem__": (lambda w: w.__setitem__([0, 1], 1.0), 8),
    "__setitem__ by mask": (lambda w: w.__setitem__(torch.eye(4, dtype=torch.bool), 1.0), 4),
    "masked_fill_": (lambda w: w.masked_fill_(torch.eye(4, dtype=torch.bool), 1.0), 4),
    "index_fill_": (lambda w: w.index_fill_(0, torch.tensor([0]), 1.0), 4),
    "index_copy_": (lambda w: w.index_copy_(1, torch.tensor([0, 2]), torch.ones(4, 2)), 8),
    "scatter_": (lambda w: w.scatter_(0, torch.zeros(1, 3, dtype=torch.int64), 1.0), 3),
}


@pytest.mark.parametrize("way", SELECTING)
def test_a_selection_reaches_what_it_selects_and_no_more(way):
    put, count = SELECTING[way]

    def build():
        model = nn.ParameterList([torch.empty(4, 4)])
        put(model[0].data)
        return model

    _, births = record(build)
    (birth,) = births.tensors
    assert (birth.last.function, birth.last.elements) == (way.partition(" ")[0], count)
    assert birth.unwritten == 1 - count / 16


def test_what_builds_on_forgotten_memory_is_forgotten_still():
    def build():
        model = nn.ParameterList([torch.empty(4, 4), torch.empty(4, 4), torch.empty(4, 4)])
        model[0].data.tril_()
        model[1].data.tanh_()
        torch.add(torch.ones(4, 4), 1, out=model[2].data)
        return model

    _, births = record(build)
    assert [birth.unwritten for birth in births.tensors] == [10 / 16, 1, 0]


def test_a_copy_of_forgotten_memory_is_forgotten():
    def build():
        layer = nn.Linear(4, 4)
        layer.weight.data.copy_(torch.empty(4, 4))
        return layer

    assert record(build)[1].of("weight").unwritten == 1


def test_a_nan_of_the_person_is_not_forgotten_memory():
    _, births = record(lambda: nn.ParameterList([torch.full((3,), float("nan"))]))
    assert births.tensors[0].unwritten == 0


def test_meta_and_to_empty():
    _, births = record(lambda: nn.Linear(4, 2, device="meta").to_empty(device="cpu"))
    assert {birth.unwritten for birth in births.tensors} == {1.0}

    def reset():
        layer = nn.Linear(4, 2, device="meta").to_empty(device="cpu")
        layer.reset_parameters()
        return layer

    _, births = record(reset)
    assert births.ok
    assert writes(births, "weight") == [("nn.init.kaiming_uniform_", "reset")]


def test_loads_copies_and_casts_carry_on():
    def build():
        layer = nn.Linear(4, 2)
        layer.load_state_dict(nn.Linear(4, 2).state_dict())
        return nn.ModuleList([layer, copy.deepcopy(layer)]).to(torch.bfloat16)

    _, births = record(build)
    assert [name for name, _ in writes(births, "0.weight")] == [
        "nn.init.kaiming_uniform_",
        "load_state_dict",
        "to",
    ]
    assert ("deepcopy", "made") in writes(births, "1.weight")
    assert not any(write.by == "init" for birth in births.tensors for write in birth.writes)
    assert births.ok


def test_numpy_writes_too():
    def build():
        layer = nn.Linear(4, 2)
        held = layer.weight.detach().numpy()
        held[:] = 0.5
        layer.bias.detach().numpy().sum()
        return layer

    _, births = record(build)
    assert writes(births, "weight")[-1] == ("numpy", "init")
    assert line_of(births.of("weight").last) == "held = layer.weight.detach().numpy()"
    assert births.of("weight").last.after.mean == 0.5
    assert births.of("weight").writes[0].after.std > 0
    assert len(writes(births, "bias")) == 1
    assert "numpy" not in vars(torch.Tensor)


def test_what_cannot_be_read_is_a_note_and_no_failure():
    def build():
        with FakeTensorMode():
            nn.Linear(2, 2)
        return nn.Linear(4, 2)

    model, births = record(build)
    assert births.of("weight").writes
    assert torch.isfinite(model.weight).all()


def test_operations_that_run_a_graph_go_through():
    def build():
        layer = nn.Linear(4, 4)
        torch.cond(torch.tensor(True), torch.sin, torch.cos, (layer.weight.detach(),))
        return layer

    assert record(build)[1].ok


def test_a_library_is_named_where_it_wrote_and_shown_where_nobody_else_asked():
    library = dict[str, object]()
    file = f"{sysconfig.get_path('purelib')}{os.sep}somelib{os.sep}net.py"
    code = "from torch import nn\ndef start(layer):\n    nn.init.zeros_(layer.weight)\n"
    exec(compile(code, file, "exec"), library)  # a library that is installed
    start = cast("Callable[[nn.Module], None]", library["start"])

    def build():
        called, alone = nn.Linear(2, 2), nn.Linear(2, 2)
        start(called)
        thread = threading.Thread(target=start, args=(alone,))
        thread.start()
        thread.join()
        return nn.Sequential(called, alone)

    _, births = record(build)
    called, alone = (births.of(f"{place}.weight").last for place in (0, 1))
    assert (called.library, line_of(called)) == ("somelib", "start(called)")
    assert (alone.library, alone.frames[0].function) == ("", "start")


def test_births_of_some_tensors():
    def build():
        model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        nn.init.zeros_(model[0].bias.clone())
        return model

    _, births = record(build)
    assert births.matching("*") is births
    assert [birth.name for birth in births.matching("*.bias").tensors] == ["0.bias", "1.bias"]
    assert not births.matching("*.bias").ok
    assert births.matching("1.*").ok
    with pytest.raises(FaninError, match=r'no tensor is called 0\.bais.* "0\.bias"'):
        births.matching("0.bais")


@pytest.mark.parametrize("seed", [-(2**63) - 1, 2**64])
def test_a_seed_that_torch_does_not_take(seed):
    with pytest.raises(FaninError, match=f"seed must lie between .* got {seed}"):
        record(lambda: nn.Linear(2, 2), seed)


def test_ties_are_one_tensor():
    def build():
        model = nn.ModuleDict({"table": nn.Embedding(5, 4), "head": nn.Linear(4, 5, bias=False)})
        model["head"].weight = model["table"].weight
        return model

    _, births = record(build)
    assert [(birth.name, birth.aliases) for birth in births.tensors] == [
        ("table.weight", ("head.weight",))
    ]


def test_methods_that_never_ran():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(2, 2)
            self.init_head()

        def init_head(self):
            pass

        def _init_weights(self):
            nn.init.zeros_(self.fc.weight)

    _, births = record(Net)
    assert [name.rpartition(".")[2] for name, _ in births.uncalled] == ["_init_weights"]
    assert births.uncalled[0][1].text == "def _init_weights(self):"
    assert not hasattr(Net.init_head, "__wrapped__")


class Model(nn.Module):
    """A layer, and a state."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3)
        self.layers = nn.ModuleList([nn.Linear(3, 3)])
        self.register_buffer("state", torch.zeros(3))


class Others(Model):
    """Methods that start something else than weights."""

    def reset(self):
        self.state.zero_()

    def init_metrics(self):
        self.seen = []

    def init_optimizer(self):
        self.optimizer = torch.optim.SGD(self.parameters(), 0.1)

    def init_decoder(self, x):
        return self.fc(x)

    def reset_(self):
        for layer in self.layers:
            layer.reset()


def init_layer(layer):
    nn.init.zeros_(layer.weight)


class Starters(Model):
    """Methods that start weights, whatever they are called."""

    def reset(self):
        self.fc.weight.data.uniform_(-0.1, 0.1)

    def init(self):
        def one(module):
            if hasattr(module, "weight"):
                nn.init.normal_(module.weight)

        self.apply(one)

    def initialize(self):
        for parameter in self.parameters():
            parameter.data.fill_(0.1)

    def init_fc(self):
        init_layer(self.fc)

    def init_bias(self):
        self.fc.bias = nn.Parameter(torch.ones(3))


def test_a_method_has_to_be_about_weights():
    assert not record(Others)[1].uncalled
    names = [name.rpartition(".")[2] for name, _ in record(Starters)[1].uncalled]
    assert names == ["reset", "init", "initialize", "init_fc", "init_bias"]


def test_streams_tell_copies_from_draws():
    def build():
        layers = nn.ModuleList()
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            layers.append(nn.Linear(4, 4))
        return layers

    _, births = record(build)
    streams = [births.of(f"{place}.weight").last.stream for place in range(3)]
    assert streams[0] == streams[1] != streams[2]


def test_a_parametrised_weight_is_found_by_its_own_name():
    _, births = record(lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 2)))
    assert births.of("weight").name == "parametrizations.weight.original1"


def test_the_process_is_left_as_it_was():
    def state():
        return (
            torch.get_rng_state().tolist(),
            np.random.get_state()[1].tolist(),  # noqa: NPY002
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            torch.are_deterministic_algorithms_enabled(),
            torch.backends.cudnn.deterministic,
            torch.get_num_threads(),
            torch.get_default_device(),
            torch.overrides.has_torch_function((torch.zeros(1),)),  # of a mode left on
            nn.Module.__init__,
        )

    def interrupted():
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.deterministic = True
        torch.set_num_threads(torch.get_num_threads() + 1)
        torch.rand(3, device="cpu")
        raise KeyboardInterrupt

    before = state()
    record(lambda: nn.Linear(3, 3))
    assert state() == before
    with pytest.raises(KeyboardInterrupt):
        record(interrupted)
    assert state() == before


def test_recording_does_not_import_the_compiler():
    code = (
        "import sys; from torch import nn; from fanin.torch.births import record;"
        "record(lambda: nn.Linear(2, 2)); print('torch._dynamo' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def test_recording_changes_no_number():
    torch.manual_seed(7)
    plain = nn.TransformerEncoderLayer(16, 2, 32)
    recorded, _ = record(lambda: nn.TransformerEncoderLayer(16, 2, 32), seed=7)
    for one, other in zip(plain.parameters(), recorded.parameters(), strict=True):
        assert torch.equal(one, other)


def test_builds_that_fail_say_where():
    def build():
        return nn.Linear("a", 2)

    with pytest.raises(FaninError, match=r"the build fails at .*test_births\.py:\d+: TypeError"):
        record(build)
    with pytest.raises(FaninError, match=r"must return a torch\.nn\.Module, and returned int"):
        record(lambda: 3)


ODD = {
    "lazy": lambda: nn.LazyLinear(3),
    "meta": lambda: nn.Linear(2, 2, device="meta"),
    "complex": lambda: nn.Linear(2, 2, dtype=torch.complex64),
    "empty": lambda: nn.ParameterList([torch.zeros(()), torch.zeros(0)]),
    "sparse": lambda: nn.Embedding(5, 3, sparse=True),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_models_are_recorded_too(kind):
    assert record(ODD[kind])[1].tensors
