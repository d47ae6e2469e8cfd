"""Studies trained by a Ray cluster of several nodes: same bits, whoever dies on the way."""

import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import threading
from importlib import metadata

import numpy as np
import pytest

from cluster_cases import Told, cluster, until
from fanin.cli.load import load_builder
from fanin.errors import FaninError
from fanin.studies import cluster as module
from fanin.studies import connection
from fanin.studies.cluster import RayExecutor
from fanin.studies.connection import check_address
from fanin.studies.executor import Executor
from fanin.studies.parcel import pack
from fanin.studies.run import run_study
from fanin.torch.trainer import TorchTrainer
from training_cases import blobs, case

pytest.importorskip("ray")

LINE = "4-8-2 relu"


class ByTwo(TorchTrainer):
    def chunk(self, task):
        return min(2, super().chunk(task))


@pytest.fixture(scope="module")
def two_nodes():
    with cluster(2) as made:
        yield made


@pytest.fixture(scope="module")
def connected(two_nodes):
    """As a person who has Ray in the process already; the executor leaves it to them."""
    import ray

    ray.init(two_nodes.address, log_to_driver=False, logging_level="ERROR")
    yield ray
    ray.shutdown()


def curves(study):
    return {name: study.dataset[name].values for name in study.dataset}


def assert_same(first, second):
    assert curves(first).keys() == curves(second).keys()
    for name, values in curves(first).items():
        np.testing.assert_array_equal(values, curves(second)[name])
        assert np.isfinite(values).all()


def test_the_same_bits_as_on_one_machine(connected):
    task, steps = case(LINE, blobs(), repeats=5, orders=2), list[int]()
    study = run_study(task, ByTwo(), steps.append, executor=RayExecutor())
    assert_same(study, run_study(task, ByTwo()))
    assert steps == [2 * 2 * task.design.steps] * 5
    assert study.notes == ()
    assert connected.is_initialized()
    assert isinstance(RayExecutor(), Executor)


@pytest.mark.usefixtures("connected")
def test_a_network_whose_files_no_node_has(tmp_path, monkeypatch):
    folder = tmp_path / "here"
    (folder / "parts").mkdir(parents=True)
    (folder / "parts/heads.py").write_text("def outputs():\n    return 2\n")
    (folder / "sizes_of_mine.py").write_text("hidden = 8\n")
    (folder / "train_mine.py").write_text(
        "from torch import nn\n"
        "import sizes_of_mine\n"
        "def build():\n"
        "    from parts.heads import outputs\n"
        "    return nn.Sequential(nn.Linear(4, sizes_of_mine.hidden), nn.Linear(8, outputs()))\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    build = load_builder(f"{folder / 'train_mine.py'}:build")
    task = case(build, blobs(), repeats=3, loss="cross_entropy")
    alone = run_study(task, ByTwo())
    packed = module.pack

    def pack(*study):
        try:
            return packed(*study)
        finally:
            shutil.rmtree(folder)

    monkeypatch.setattr(module, "pack", pack)
    assert_same(run_study(task, ByTwo(), executor=RayExecutor()), alone)


@pytest.mark.usefixtures("connected")
def test_a_worker_that_is_killed(tmp_path):
    trainer, task = Told(tmp_path), case(LINE, blobs(), repeats=4)
    (tmp_path / "wait").touch()

    def kill():
        until(lambda: trainer.begun(1))
        os.kill(trainer.begun(1)[0], signal.SIGKILL)
        # Whichever Ray gives the free core to, the chunk that waited or the one that was lost.
        until(lambda: len(trainer.begun(1)) == 2 or trainer.begun(3))
        (tmp_path / "wait").unlink()

    killer = threading.Thread(target=kill)
    killer.start()
    study = run_study(task, trainer, executor=RayExecutor())
    killer.join()
    np.testing.assert_array_equal(study.dataset["loss"][0, :, -1], [1, 2, 3, 4])
    assert [len(set(trainer.begun(run))) for run in range(4)] == [1, 2, 1, 1]
    assert not study.stopped


@pytest.mark.usefixtures("connected")
def test_an_error_of_a_chunk_arrives_as_it_was(tmp_path):
    task = case(LINE, blobs(), repeats=1)
    with pytest.raises(FaninError, match=r"^the network does not fit$"):
        run_study(task, Told(tmp_path, fails=0), executor=RayExecutor())
    # It is no failure of the worker, so it is not tried again.
    assert len(Told(tmp_path).begun(0)) == 1


@pytest.mark.usefixtures("connected")
def test_an_error_later_keeps_what_is_finished_and_cancels_the_rest(tmp_path):
    (tmp_path / "wait").touch()
    trainer = Told(tmp_path, fails=1)
    study = run_study(case(LINE, blobs(), repeats=9), trainer, executor=RayExecutor())
    assert study.notes[-1].startswith("Stopped by an error after 1 of 9 repeats: the")
    assert np.isfinite(study.dataset["loss"][:, 0]).all()
    until(lambda: not any(alive(pid) for run in (2, 3) for pid in trainer.begun(run)))
    assert not trainer.begun(8)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.usefixtures("connected", "ctrl_c")
def test_ctrl_c_keeps_what_is_finished(tmp_path):
    (tmp_path / "wait").touch()
    trainer = Told(tmp_path)

    def press(steps):
        del steps
        signal.raise_signal(signal.SIGINT)

    study = run_study(case(LINE, blobs(), repeats=5), trainer, press, executor=RayExecutor())
    assert study.notes[-1] == "Stopped by hand after 1 of 5 repeats."
    assert np.isfinite(study.dataset["loss"][:, 0]).all()
    assert study.stopped


@pytest.mark.usefixtures("connected")
def test_a_worker_with_another_version(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_version", lambda name: "9.9" if name == "fanin" else None)
    with pytest.raises(FaninError, match=r"has fanin \S+ and this machine 9\.9.*fanin==9\.9"):
        run_study(case(LINE, blobs()), Told(tmp_path), executor=RayExecutor())


@pytest.mark.usefixtures("connected")
def test_cores_of_a_chunk(tmp_path):
    run_study(case(LINE, blobs(), repeats=1), Told(tmp_path), executor=RayExecutor())
    assert (tmp_path / "run0").read_text().split()[1] == os.environ.get("OMP_NUM_THREADS", "1")


@pytest.mark.usefixtures("connected")
def test_another_address_than_the_process_has(tmp_path):
    with pytest.raises(FaninError, match=r"is connected to the Ray cluster .* already"):
        run_study(case(LINE, blobs()), Told(tmp_path), executor=RayExecutor("10.0.0.1:6379"))


@pytest.mark.usefixtures("connected")
def test_a_network_that_cannot_be_sent(tmp_path):
    lock = threading.Lock()
    task = case(lambda: lock, blobs(), loss="cross_entropy")
    with pytest.raises(FaninError, match=r"cannot be sent.*build what it holds inside"):
        run_study(task, Told(tmp_path), executor=RayExecutor())


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_a_node_that_goes_and_one_that_comes(two_nodes, tmp_path):
    trainer, task = Told(tmp_path), case(LINE, blobs(), repeats=6)
    (tmp_path / "wait").touch()

    def change(steps):
        del steps
        if not (tmp_path / "wait").exists():
            return
        until(lambda: trainer.begun(1) and trainer.begun(2))
        (gone, *_) = two_nodes.worker_nodes
        two_nodes.remove_node(gone, allow_graceful=False)
        two_nodes.add_node(num_cpus=1)
        two_nodes.add_node(num_cpus=1)
        until(lambda: trainer.begun(3))
        (tmp_path / "wait").unlink()

    study = run_study(task, trainer, change, executor=RayExecutor())
    np.testing.assert_array_equal(study.dataset["loss"][0, :, -1], range(1, 7))
    # The chunk that ran on the node that went was begun again on another.
    assert sorted(len(trainer.begun(run)) for run in (1, 2)) == [1, 2]


@pytest.mark.slow
def test_the_command_line_starts_a_ray_of_its_own_and_ends_it(tmp_path):
    command = [sys.executable, "-m", "fanin", "compare", "--network", "4-3", "--data", "iris"]
    command += ["--schemes", "zeros,he_normal", "--repeats", "3", "--epochs", "1", "--json"]
    environment = {**os.environ, "HOME": str(tmp_path)}
    alone, ours = (
        subprocess.run(
            [*command, *more], capture_output=True, text=True, check=True, env=environment
        )
        for more in ([], ["--ray", "local"])
    )
    assert ours.stdout == alone.stdout
    assert ours.stderr == ""


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("cluster", 'a Ray address is "local"'),
        ("", 'a Ray address is "local"'),
        ("head:99999", 'a Ray address is "local"'),
        ("ray://", 'a Ray address is "local"'),
        ("127.0.0.1:1", "no Ray cluster answers at 127.0.0.1:1 .connection refused"),
    ],
)
def test_an_address_of_nobody(address, expected):
    with pytest.raises(FaninError, match=expected):
        check_address(address)


def test_something_else_that_listens_is_told_in_seconds(monkeypatch):
    monkeypatch.setattr(connection, "PATIENCE", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(FaninError, match="does not speak Ray"):
            check_address(f"127.0.0.1:{port}")


def test_a_parcel_is_opened_where_its_files_are_not(tmp_path, monkeypatch):
    """In a process that knows nothing of the folder; a second study replaces the first."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    parcels = []
    for units in (3, 5):
        folder = tmp_path / str(units)
        folder.mkdir()
        (folder / "sizes_to_send.py").write_text(
            f"# -*- coding: latin-1 -*-\nunits = {units} # \xe9\n", "latin-1"
        )
        (folder / "net_to_send.py").write_text(
            "import sizes_to_send\ndef build():\n    return sizes_to_send.units\n"
        )
        build = load_builder(f"{folder / 'net_to_send.py'}:build")
        parcel = pack(case(build, blobs()), TorchTrainer())
        parcels.append(
            (
                parcel.digest,
                parcel.pickled.tobytes(),
                {k: tuple(v) for k, v in parcel.sources.items()},
            )
        )
        for name in ("sizes_to_send", "net_to_send"):
            del sys.modules[name]
        shutil.rmtree(folder)
    assert parcels[0][0] != parcels[1][0]
    (tmp_path / "sent").write_bytes(pickle.dumps(parcels))
    code = (
        "import pickle, sys, numpy as np\n"
        "from fanin.studies.parcel import Parcel, Source, unpack\n"
        "for digest, data, sources in pickle.load(open(sys.argv[1], 'rb')):\n"
        "    known = {name: Source(*one) for name, one in sources.items()}\n"
        "    task, trainer = unpack(Parcel(digest, np.frombuffer(data, np.uint8), known))\n"
        "    print(task.network(), type(trainer).__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "sent")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["3", "TorchTrainer", "5", "TorchTrainer"], done.stderr


def test_a_worker_without_fanin(monkeypatch):
    def version(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    said = module._for_workers()(None, {"torch": "2.13.0", "fanin": "0.1.0"}, 0, 1)
    assert "has fanin not installed and this machine 0.1.0" in said
    assert "install fanin==0.1.0 on every node" in said
