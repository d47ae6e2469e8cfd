"""Which start trains? `auto` against the frameworks' default, he, glorot and the published special.

Every scheme trains the same network from the same seeds in the same data order for the same number
of steps, and picks its learning rate from the same grid by its loss on what it was trained on. What
is shown is the held-out score: accuracy, or minus the mean squared error of a reconstruction.

Run: python benchmarks/recipes.py [--only TEXT] [--json figures.jsonl]
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor
from torch.func import functional_call, vmap
from torch.nn import functional

import fanin
from _families import Data, Family, families
from fanin.errors import FaninError
from fanin.recipes import Plan
from fanin.studies.order import batches
from fanin.torch.starts import stack_starts

COMMON = {"torch": "torch_default", "he": "he", "glorot": "glorot"}

Scores = NDArray[np.float64]


def plans(family: Family, data: Data) -> dict[str, list[Plan]]:
    """Plan every scheme of a row, for each seed; the network is shown a batch and its targets."""
    module = family.build()
    shown = data.inputs[:256], data.targets[:256]
    name, recipe, rules, calibrate = family.special
    made = {"auto": [fanin.plan(module, *shown)] * family.seeds}
    for common, default in COMMON.items():
        made[common] = [fanin.plan(module, *shown, recipe=default)] * family.seeds
    # What is measured on a batch holds for the weights it was measured with.
    made[name] = [
        fanin.plan(
            module, shown[0], recipe=recipe, rules=dict(rules), calibrate=calibrate, seed=seed
        )
        for seed in range(family.seeds)
    ]
    return made


def train(family: Family, data: Data, made: dict[str, list[Plan]]) -> tuple[Scores, Scores]:
    """Train every scheme from every seed at every rate.

    Returns:
        Final training loss and held-out score, each (scheme, seed, rate).
    """
    module, seeds = family.build(), list(range(family.seeds))
    drawn = [
        stack_starts(module, [own[seed]], [seed]).parameters
        for own in made.values()
        for seed in seeds
    ]
    runs = (len(made), len(seeds), len(family.rates))
    values = {
        name: torch.cat([start[name][0] for start in drawn]).repeat_interleave(runs[2], 0)
        for name in drawn[0]
    }
    rates = torch.tensor(family.rates).repeat(runs[0] * runs[1])
    seed_of = np.tile(np.repeat(seeds, runs[2]), runs[0])
    if family.together:
        losses, scores = _together(family, data, module, values, rates, seed_of)
    else:
        alone = [
            _together(
                family, data, module, {n: v[i : i + 1] for n, v in values.items()},
                rates[i : i + 1], seed_of[i : i + 1], alone=True,
            )
            for i in range(len(rates))
        ]  # fmt: skip
        losses, scores = (torch.cat(part) for part in zip(*alone, strict=True))
    shape = (runs[0], runs[1], runs[2])
    return losses.numpy().reshape(shape), scores.numpy().reshape(shape)


def _together(
    family: Family, data: Data, module: torch.nn.Module, values: dict[str, Tensor],
    rates: Tensor, seed_of: NDArray[np.int64], *, alone: bool = False,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    leaves = {name: value.requires_grad_() for name, value in values.items()}

    def call(own: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(module, own, (x,))

    def forward(x: Tensor, each: bool) -> Tensor:
        if alone:
            return call({n: v[0] for n, v in leaves.items()}, x[0] if each else x)[None]
        return vmap(call, in_dims=(0, 0 if each else None), randomness="error")(leaves, x)

    first = {name: torch.zeros_like(value) for name, value in leaves.items()}
    second = {name: torch.zeros_like(value) for name, value in leaves.items()}
    orders: dict[int, list[NDArray[np.int64]]] = {}
    for step in range(family.steps):
        for seed in set(seed_of.tolist()):
            if not orders.get(seed):
                whole = batches(seed, step, len(data.inputs), family.batch)
                orders[seed] = [b for b in whole if len(b) == family.batch]
        taken = {seed: torch.as_tensor(orders[seed].pop()) for seed in orders}
        index = torch.stack([taken[seed] for seed in seed_of.tolist()])
        loss = losses_of(forward(data.inputs[index], True), data.targets[index])
        gradients = torch.autograd.grad(loss.sum(), list(leaves.values()))
        with torch.no_grad():
            for (name, value), gradient in zip(leaves.items(), gradients, strict=True):
                rate = rates.view(-1, *[1] * (value.ndim - 1))
                if family.optimizer == "momentum":
                    first[name].mul_(0.9).add_(gradient)
                    value.sub_(rate * first[name])
                    continue
                first[name].mul_(0.9).add_(gradient, alpha=0.1)
                second[name].mul_(0.99).addcmul_(gradient, gradient, value=0.01)
                size = (second[name] / (1 - 0.99 ** (step + 1))).sqrt_().add_(1e-8)
                value.sub_(rate * (first[name] / (1 - 0.9 ** (step + 1))) / size)
    with torch.no_grad():
        few = slice(0, 360)
        loss = losses_of(
            forward(data.inputs[few], False),
            data.targets[few].expand(len(rates), *data.targets[few].shape),
        )
        outputs = forward(data.held_out, False)
        wanted = data.wanted.expand(len(rates), *data.wanted.shape)
        if wanted.is_floating_point():
            score = -(outputs - wanted).square().flatten(1).mean(1)
        else:
            score = (outputs.argmax(-1) == wanted).double().mean(1)
    return loss.nan_to_num(torch.inf).double(), score.nan_to_num(-torch.inf).double()


def losses_of(outputs: Tensor, targets: Tensor) -> Tensor:
    """One loss for each run."""
    if targets.is_floating_point():
        return (outputs - targets).square().flatten(1).mean(1)
    flat = functional.cross_entropy(outputs.flatten(0, 1), targets.flatten(0, 1), reduction="none")
    return flat.view(targets.shape).mean(1)


def judge(family: Family, names: list[str], losses: Scores, scores: Scores) -> dict[str, object]:
    """Pick every scheme's rate, and compare `auto` with the best of the others, paired by seed."""
    rate = np.where(np.isfinite(losses), losses, 1e9).mean(1).argmin(1)
    chosen = scores[np.arange(len(names)), :, rate]
    middle = np.median(chosen, axis=1)
    best = 1 + int(np.argmax(chosen[1:].mean(1)))
    difference = chosen[0] - chosen[best]
    low, high = _interval(difference)
    return {
        "family": family.name,
        "schemes": names,
        "median": middle.tolist(),
        "low": chosen.min(1).tolist(),
        "high": chosen.max(1).tolist(),
        "rate": [family.rates[index] for index in rate],
        "against": names[best],
        "difference": float(difference.mean()),
        "interval": [low, high],
        "verdict": "worse" if high < 0 else "better" if low > 0 else "level",
    }


def _interval(difference: Scores) -> tuple[float, float]:
    """Give the t interval of a paired mean, 95 percent."""
    if not np.isfinite(difference).all() or np.ptp(difference) == 0:
        value = float(np.nan_to_num(difference.mean(), posinf=1.0, neginf=-1.0))
        return value, value
    error = stats.sem(difference) * stats.t.ppf(0.975, len(difference) - 1)
    return float(difference.mean() - error), float(difference.mean() + error)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--only", default="")
    arguments.add_argument("--json", type=Path)
    asked = arguments.parse_args()
    warnings.filterwarnings("ignore", message="There is a performance drop")
    torch.set_flush_denormal(True)
    print("| network | auto | torch default | he | glorot | special | auto less best other | |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for family in families():
        if asked.only not in family.name:
            continue
        start, data = time.perf_counter(), family.data()
        try:
            made = plans(family, data)
        except FaninError as problem:
            raise SystemExit(f"{family.name}: {problem}") from None
        found = judge(family, list(made), *train(family, data, made))
        found["seconds"] = round(time.perf_counter() - start, 1)
        if asked.json is not None:
            with asked.json.open("a", encoding="utf-8") as file:
                file.write(json.dumps(found) + "\n")
        print(row(found, family.special[0]), flush=True)


def row(found: dict[str, object], special: str) -> str:
    """Print one row: median and range of the held-out score, and the verdict."""
    middle, low, high = (np.asarray(found[key], float) for key in ("median", "low", "high"))
    cells = [f"{m:.3f} ({a:.3f} to {b:.3f})" for m, a, b in zip(middle, low, high, strict=True)]
    cells[-1] += f" {special}"
    a, b = np.asarray(found["interval"], float)
    difference = f"{found['difference']:+.3f} [{a:+.3f}, {b:+.3f}] vs {found['against']}"
    return f"| {found['family']} | {' | '.join(cells)} | {difference} | {found['verdict']} |"


if __name__ == "__main__":
    main()
