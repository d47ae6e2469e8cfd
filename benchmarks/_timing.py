"""How the benchmarks measure: contestants in turn, medians, and ratios within each turn.

A machine's speed drifts. Contestants that run one after another in each turn drift together, so the
ratio of a turn is steadier than any time, and the median of the ratios is what is quoted.
"""

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One contestant's median, and how many times slower it is than the first."""

    name: str
    seconds: float
    ratio: float


def interleave(
    contestants: Mapping[str, Callable[[], object]], turns: int, warm_up: int = 1
) -> list[Figure]:
    """Time the contestants in turn; the first one is the measure of the others."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(-warm_up, turns):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            if turn >= 0:
                times[name].append(time.perf_counter() - start)
    first = next(iter(times.values()))
    return [
        Figure(
            name,
            statistics.median(taken),
            statistics.median(own / base for own, base in zip(taken, first, strict=True)),
        )
        for name, taken in times.items()
    ]


def report(question: str, figures: list[Figure], unit: str = "s", per: float = 1.0) -> None:
    """Print a table, and append the figures to the file named on the command line."""
    print(f"\n{question}")
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        shown = figure.seconds / per
        print(f"  {figure.name:{width}}  {shown:10.4g} {unit}  {figure.ratio:8.3g} x the first")
    if len(sys.argv) > 1:
        record = {
            "question": question,
            "figures": [asdict(figure) for figure in figures],
            "python": platform.python_version(),
            "machine": platform.machine(),
        }
        with Path(sys.argv[1]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
