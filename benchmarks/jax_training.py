"""What does the compiled trainer leave on the table? Against `jit(vmap(scan))` written by hand.

The same job on both sides: draw the starts, shuffle in every epoch, take the steps, measure loss
and accuracy of both parts of the data after every epoch. Written by hand, one training is a scan
over epochs of a scan over steps, and `vmap` makes many of it, which is how it is usually done.
The last column holds the products of all training steps against the fastest product of two square
matrices that this machine makes.

Run: python benchmarks/jax_training.py [figures.jsonl]
"""

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
from sklearn.datasets import make_classification

from _timing import interleave, report
from fanin.jax.trainer import JaxTrainer
from fanin.studies.data import load
from fanin.studies.design import Design, Optimizer, plan_points
from fanin.studies.grammar import Network
from fanin.studies.run import run_study
from fanin.studies.trainer import Task

SCHEMES = ("he_normal", "glorot_uniform", "lecun_normal", "normal(0, 0.05)")
RATE, BATCH_SIZE, EPOCHS = 0.01, 32, 5

CASES = (("4-2", 250, 1200), ("64-32-10 relu", 50, 1800), ("784-128-64-10 relu", 5, 1800))
"""Network, repeats, examples."""


def the_task(line: str, repeats: int, rows: int) -> Task:
    network = Network.parse(line)
    inputs, outputs = network.sizes[0], network.sizes[-1]
    informative = min(inputs, 32)
    drawn = make_classification(
        rows, inputs, n_informative=informative, n_redundant=0, n_classes=outputs, random_state=0
    )
    data = load(drawn, scale=True, holdout=0.2, split_seed=0)
    schedule = plan_points(epochs=EPOCHS, n_train=len(data.train), batch_size=BATCH_SIZE)
    design = Design(
        network=str(network),
        data=str(data),
        schemes=SCHEMES,
        repeats=repeats,
        seed=0,
        optimizer=Optimizer("sgd", RATE),
        batch_size=BATCH_SIZE,
        steps=schedule.steps,
        steps_per_epoch=schedule.steps_per_epoch,
        points=schedule.points,
        loss="cross_entropy",
    )
    return Task(design, data, network, {})


def by_hand(task: Task) -> Callable[[], object]:
    network, data = task.network, task.data
    assert isinstance(network, Network)
    sizes = list(pairwise(network.sizes))
    parts = [(jnp.asarray(p.features), jnp.asarray(p.target)) for p in data.parts.values()]
    features, targets = parts[0]
    batches = len(features) // BATCH_SIZE
    he = jax.nn.initializers.he_normal()

    def forward(parameters: Any, x: Any) -> Any:
        for layer, (kernel, bias) in enumerate(parameters):
            x = x @ kernel + bias
            x = jax.nn.relu(x) if layer + 1 < len(parameters) else x
        return x

    def losses(parameters: Any, x: Any, y: Any) -> Any:
        logits = jax.nn.log_softmax(forward(parameters, x))
        return -jnp.take_along_axis(logits, y[:, None], 1).mean()

    def metrics(parameters: Any) -> Any:
        return [
            (losses(parameters, x, y), (forward(parameters, x).argmax(-1) == y).mean())
            for x, y in parts
        ]

    def train(key: Any) -> Any:
        keys = jax.random.split(key, len(sizes) + 1)
        start = [
            (he(own, size), jnp.zeros(size[1])) for own, size in zip(keys, sizes, strict=False)
        ]

        def epoch(parameters: Any, key: Any) -> Any:
            order = jax.random.permutation(key, len(features))[: batches * BATCH_SIZE]

            def step(parameters: Any, picked: Any) -> Any:
                slopes = jax.grad(losses)(parameters, features[picked], targets[picked])
                return jax.tree.map(lambda w, g: w - RATE * g, parameters, slopes), None

            parameters, _ = jax.lax.scan(step, parameters, order.reshape(batches, BATCH_SIZE))
            return parameters, metrics(parameters)

        return jax.lax.scan(epoch, start, jax.random.split(keys[-1], EPOCHS))[1]

    many = jax.jit(jax.vmap(train))
    keys = jax.random.split(jax.random.key(0), len(task.design.schemes) * task.design.repeats)
    return lambda: jax.block_until_ready(many(keys))


def peak() -> float:
    """Multiplications and additions a second of the best square product."""
    product = jax.jit(jnp.matmul)
    best = 0.0
    for size in (512, 1024, 2048, 4096):
        matrix = jnp.ones((size, size))
        product(matrix, matrix).block_until_ready()
        for _ in range(5):
            begun = time.perf_counter()
            product(matrix, matrix).block_until_ready()
            best = max(best, 2 * size**3 / (time.perf_counter() - begun))
    return best


def main() -> None:
    fastest = peak()
    print(f"matrix peak: {fastest / 1e9:.0f} GFLOP/s")
    for case in CASES:
        contest(the_task(*case), fastest)


def contest(task: Task, fastest: float) -> None:
    trainer, hand = JaxTrainer(), by_hand(task)
    first, first_by_hand = timed(lambda: run_study(task, trainer)), timed(hand)
    trainings = len(SCHEMES) * task.design.repeats
    figures = interleave({"fanin": lambda: run_study(task, trainer), "by hand": hand}, turns=7)
    steps = trainings * task.design.steps
    report(f"{trainings} trainings of {task.network}, {task.design.steps} steps each", figures)
    assert isinstance(task.network, Network)
    products = sum(fan_in * fan_out for fan_in, fan_out in pairwise(task.network.sizes))
    rate = steps / figures[0].seconds
    share = 6 * products * BATCH_SIZE * rate / fastest
    print(
        f"  {1e6 / rate:.3g} us a step of one training, {rate:.3g} member-steps/s, "
        f"{share:.0%} of the matrix peak; first call {first:.2f} s, by hand {first_by_hand:.2f} s"
    )


def timed(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


main()
