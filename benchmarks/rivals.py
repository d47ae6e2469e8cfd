"""Which tool sees what is wrong with a start, names the cause, and keeps quiet where nothing is?

Nineteen faults in small networks, eight in a GPT whose recipe was not carried out, and five healthy
controls, over several seeds. A fault is seen when a tool says anything; the cause is named when the
words of what it says fit (for fanin: the family of the rule, and the tensor). A remark of fanin's
counts where it names the cause, and not as a false alarm. fanin is told the recipe of the GPT,
which no other tool can be.

Run: make bench-rivals, or python benchmarks/rivals.py [seeds]
"""

import re
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field

import torch

from _fault_cases import CASES, CONTROLS, NETWORKS, RECIPES
from _faults import Case
from _rival_tools import fanin_findings, installed, said_by

SEEDS = 20


@dataclass
class Tally:
    """How often a tool saw a case, and named its cause."""

    seen: int = 0
    named: int = 0
    seconds: list[float] = field(default_factory=list[float])


def main(seeds: int) -> None:
    torch.set_num_threads(1)
    tools = ["fanin", *installed()]
    tallies = dict[tuple[str, str], Tally]()
    for case in CASES:
        for tool in tools:
            tallies[case.name, tool] = tally(case, tool, seeds)
        told = "  ".join(f"{tool} {mark(case, tallies[case.name, tool])}" for tool in tools)
        print(f"{case.name}: {told}", file=sys.stderr, flush=True)
    show(tools, tallies, seeds)


def tally(case: Case, tool: str, seeds: int) -> Tally:
    found = Tally()
    for seed in range(seeds):
        began = time.perf_counter()
        seen, named = fanin(case, seed) if tool == "fanin" else rival(tool, case, seed)
        found.seconds.append(time.perf_counter() - began)
        found.seen += seen
        found.named += named
    return found


def fanin(case: Case, seed: int) -> tuple[bool, bool]:
    findings = fanin_findings(case, seed)
    fitting = [
        names
        for code, names, _ in findings
        if any(code.startswith(family) for family in case.codes)
        and any(case.where in name for name in names)
    ]
    return bool(fitting) or any(loud for _, _, loud in findings), bool(fitting)


def rival(tool: str, case: Case, seed: int) -> tuple[bool, bool]:
    said = said_by(tool, case, seed)
    fitting = [text for text in said if case.words and re.search(case.words, text, re.IGNORECASE)]
    return bool(said), bool(fitting)


def mark(case: Case, found: Tally) -> str:
    """Seen and named of all seeds; for a control the false alarms."""
    if case.healthy:
        return f"{found.seen}" if found.seen else "."
    return f"{found.seen}/{found.named}" if found.seen else "."


def show(tools: list[str], tallies: dict[tuple[str, str], Tally], seeds: int) -> None:
    print(f"| case ({seeds} seeds: seen/cause named) | " + " | ".join(tools) + " |")
    print("| --- |" + " --- |" * len(tools))
    for case in CASES:
        marks = (mark(case, tallies[case.name, tool]) for tool in tools)
        control = "healthy: " if case.healthy else ""
        print(f"| {control}{case.name} | " + " | ".join(marks) + " |")
    sums = defaultdict[str, list[str]](list)
    for tool in tools:
        for label, cases in (("19 network faults", NETWORKS), ("8 recipe faults", RECIPES)):
            seen = sum(tallies[case.name, tool].seen for case in cases) / seeds
            named = sum(tallies[case.name, tool].named for case in cases) / seeds
            sums[f"{label}, seen"].append(f"{seen:.1f}")
            sums[f"{label}, cause named"].append(f"{named:.1f}")
        alarms = sum(tallies[case.name, tool].seen for case in CONTROLS) / seeds
        sums[f"false alarms on {len(CONTROLS)} controls"].append(f"{alarms:.1f}")
        times = sorted(s for case in CASES for s in tallies[case.name, tool].seconds)
        sums["seconds for a network, median"].append(f"{times[len(times) // 2]:.2f}")
    for label, cells in sums.items():
        print(f"| **{label}** | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS)
