"""How long does it take to import fanin and to ask for help, and how much memory does a study take?

Run: python benchmarks/start_up.py [figures.jsonl]
"""

import resource
import subprocess
import sys

from _timing import interleave, report

STUDY = [
    *("-m", "fanin", "compare", "--data", "breast_cancer", "--scale", "--network", "30-1 sigmoid"),
    *("--schemes", "zeros,he_normal", "--repeats", "5", "--epochs", "2", "--quiet"),
]


def python(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def peak(*arguments: str) -> float:
    """Peak memory of a new Python in MiB, told by itself."""
    told = "import resource, sys; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    run = subprocess.run(
        [sys.executable, "-c", f"{arguments[0]}\n{told}"],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(run.stdout.split()[-1]) / 1024


def main() -> None:
    report(
        "start-up",
        interleave(
            {
                "python -c pass": lambda: python("-c", "pass"),
                "python -c 'import fanin'": lambda: python("-c", "import fanin"),
                "fanin --help": lambda: python("-m", "fanin", "--help"),
                "python -c 'import torch'": lambda: python("-c", "import torch"),
            },
            9,
        ),
    )
    print("\npeak memory, MiB")
    for name in ("pass", "import fanin", "import torch"):
        print(f"  python -c '{name}'  {peak(name):.0f}")
    python(*STUDY)
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"  fanin compare, the largest of all above  {largest:.0f}")


if __name__ == "__main__":
    main()
