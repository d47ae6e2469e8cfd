"""What is lost when a study is trained by a Ray cluster? One worker and two against this process.

The same study of several chunks in this process, on a cluster of one node with one core, and on one
of two such nodes. Everything has one thread. The clusters run before the clock does: the time is
that of sending the study, training it and bringing the curves back.

Run: OMP_NUM_THREADS=1 python benchmarks/cluster.py [figures.jsonl]
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", RAY_AUTH_MODE="disabled", RAY_USAGE_STATS_ENABLED="0")

import ray
import torch
from ray.cluster_utils import Cluster

from _timing import Figure, interleave, report
from fanin.studies.cluster import RayExecutor
from fanin.studies.data import load
from fanin.studies.design import Design, Optimizer, plan_points
from fanin.studies.executor import Executor
from fanin.studies.grammar import Network
from fanin.studies.run import run_study
from fanin.studies.trainer import Task
from fanin.torch.trainer import TorchTrainer

CHUNKS, TURNS, EPOCHS = 8, 3, 4


class Chunked(TorchTrainer):
    """Chunks of two runs, so that the study has several without taking many minutes."""

    def chunk(self, task: Task) -> int:
        return min(2, super().chunk(task))


def the_task() -> Task:
    data, network = load("digits", scale=True), Network.parse("64-128-64-10 relu")
    schedule = plan_points(epochs=EPOCHS, n_train=len(data.train), batch_size=32)
    design = Design(
        network=str(network),
        data=str(data),
        schemes=("zeros", "he_normal", "glorot_uniform", "normal(0, 0.05)"),
        repeats=2 * CHUNKS,
        seed=0,
        optimizer=Optimizer("adam"),
        batch_size=32,
        steps=schedule.steps,
        steps_per_epoch=schedule.steps_per_epoch,
        points=schedule.points,
        loss="cross_entropy",
    )
    return Task(design, data, network, {})


@contextmanager
def nodes(count: int) -> Generator[None]:
    head = {"num_cpus": 0, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(count):
            cluster.add_node(num_cpus=1)
        ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
        yield
    finally:
        ray.shutdown()
        cluster.shutdown()


def main() -> None:
    torch.set_num_threads(1)
    task, trainer = the_task(), Chunked()
    figures = list[Figure]()

    def run(executor: Executor | None) -> Any:
        return run_study(task, trainer, executor=executor)

    alone = run(None)
    for count in (1, 2):
        with nodes(count):
            there = run(RayExecutor())
            assert there.dataset.equals(alone.dataset)
            workers = "1 worker" if count == 1 else f"{count} workers"
            pair = interleave(
                {
                    "this process": lambda: run(None),
                    f"Ray, {workers}": lambda: run(RayExecutor()),
                },
                TURNS,
            )
            figures += pair if not figures else pair[1:]
    report(f"a study of {CHUNKS} chunks of 64-128-64-10, {task.design.steps} steps", figures)
    one, two = (figure.ratio for figure in figures[1:])
    print(f"  efficiency: {1 / one:.0%} with 1 worker, {1 / (2 * two):.0%} with 2")


main()
