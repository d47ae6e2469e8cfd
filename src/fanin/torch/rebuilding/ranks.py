"""The same build in several processes that know each other, as a launcher would start them.

A tensor that every process holds whole is a replica and must be equal everywhere; one that each
holds a part of is a shard, and equal random shards are copies of one draw. Which is which is seen
by building in one process alone as well: a shard is smaller there than the whole.
"""

import contextlib
import multiprocessing
import os
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fanin.checks import Unlike
from fanin.errors import FaninError
from fanin.torch.building import Build, for_a_build
from fanin.torch.rebuilding.again import equal, looks_drawn, told
from fanin.torch.rebuilding.again import tensors as held_by

PATIENCE = 120.0
"""Seconds that the processes may take."""

_Held = dict[str, Tensor]


def across_ranks(build: Build, world: int, seed: int) -> tuple[tuple[Unlike, ...], int]:
    """Build a model in several processes of one group, over gloo, and compare what they hold.

    Args:
        build: Builds the model; it may ask `torch.distributed` for its rank.
        world: Number of processes, at least 2.
        seed: Seed that each starts with.

    Returns:
        Replicas that differ (``"values"``) and random shards that are equal (``"copies"``), and
        the number of processes.

    Raises:
        FaninError: The machine cannot fork, the build fails in a process, or takes too long.
    """
    if world < 2:
        raise FaninError(f"ranks must be at least 2, got {world}")
    alone, ranks = _held(build, 1, seed), _held(build, world, seed)
    found = list[Unlike]()
    for name, whole in alone[0].items():
        parts = [held.get(name) for held in ranks]
        if any(part is None for part in parts):
            continue  # a stage of a pipeline holds what the others do not
        there = [part for part in parts if part is not None]
        sharded = any(part.shape != whole.shape for part in there)
        other = next((part for part in there[1:] if not equal(there[0], part)), None)
        if not sharded and other is not None:
            found.append(Unlike(name, "values", told(there[0]), told(other)))
        elif sharded and other is None and looks_drawn(there[0]):
            found.append(Unlike(name, "copies", told(there[0]), "the same numbers"))
    found += _stages(ranks)
    return tuple(found), world


def _stages(ranks: list[_Held]) -> list[Unlike]:
    """Find equal random tensors under names that only one process each has."""
    own = [
        {name: t for name, t in held.items() if sum(name in other for other in ranks) == 1}
        for held in ranks
    ]
    found = list[Unlike]()
    for rank, held in enumerate(own):
        for name, tensor in held.items():
            twins = [
                twin
                for other in own[rank + 1 :]
                for twin, value in other.items()
                if looks_drawn(tensor) and equal(tensor, value)
            ]
            if twins:
                found.append(Unlike(name, "copies", told(tensor), f"the same as {twins[0]}"))
    return found


def _held(build: Build, world: int, seed: int) -> list[_Held]:
    if "fork" not in multiprocessing.get_all_start_methods():
        raise FaninError("ranks are compared in forked processes, which this system does not have")
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        processes = [
            context.Process(target=_run, args=(build, rank, world, seed, folder), daemon=True)
            for rank in range(world)
        ]
        with warnings.catch_warnings():
            # JAX warns of every fork; these processes run torch alone.
            warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
            for process in processes:
                process.start()
        for process in processes:
            process.join(PATIENCE)
        late = [rank for rank, process in enumerate(processes) if process.is_alive()]
        for process in processes:
            process.kill()
            process.join()
        if late:
            raise FaninError(
                f"the build did not end within {PATIENCE:.0f} s in {len(late)} of {world} "
                "processes: do all of them take part in every collective call?"
            )
        return [_read(Path(folder) / f"{rank}.pt", rank, world) for rank in range(world)]


def _read(path: Path, rank: int, world: int) -> _Held:
    if not path.is_file():
        raise FaninError(f"process {rank} of {world} died while it built the model")
    stored: Any = torch.load(path, weights_only=True)
    if "failed" in stored:
        raise FaninError(f"the build fails in process {rank} of {world}: {stored['failed']}")
    return stored["held"]


def _run(build: Build, rank: int, world: int, seed: int, folder: str) -> None:
    """Build in one process, and leave what it holds in a file."""
    torch.set_num_threads(1)  # a pool of threads does not live through a fork
    try:
        held = _group(build, rank, world, seed, folder)
        stored: dict[str, Any] = {"held": held}
    except BaseException as problem:  # noqa: BLE001  # whatever it is, the parent has to tell it
        line = traceback.extract_tb(problem.__traceback__)[-1]
        told_so = f"{type(problem).__name__}: {problem} ({line.filename}:{line.lineno})"
        stored = {"failed": told_so}
    unfinished = Path(folder) / f"{rank}.tmp"
    torch.save(stored, unfinished)
    unfinished.replace(Path(folder) / f"{rank}.pt")
    if "held" in stored:
        with contextlib.suppress(Exception):  # another process may have failed and gone
            torch.distributed.barrier()  # pyright: ignore[reportUnknownMemberType]
    os._exit(0)  # the parent's own handlers must not run here


def _group(build: Build, rank: int, world: int, seed: int, folder: str) -> _Held:
    distributed: Any = torch.distributed
    names = {
        "RANK": rank,
        "LOCAL_RANK": rank,
        "WORLD_SIZE": world,
        "LOCAL_WORLD_SIZE": world,
        "MASTER_ADDR": "127.0.0.1",
    }
    os.environ.update({name: str(value) for name, value in names.items()})
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting-{world}", rank=rank, world_size=world
    )
    # A build that opens the group itself finds it open.
    distributed.init_process_group = _open_already
    with for_a_build(seed):
        model = build()
    return {name: _local(tensor).cpu().clone() for name, tensor in held_by(model).items()}


def _open_already(*_: Any, **__: Any) -> None:
    """Stand in for opening the group."""


def _local(tensor: Tensor) -> Tensor:
    part: Any = getattr(tensor, "to_local", None)
    return tensor if part is None else part()
