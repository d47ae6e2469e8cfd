"""How fast is a 4096 x 4096 float32 tensor filled? Against torch.nn.init and NumPy's Generator.

Run: python benchmarks/fill.py [figures.jsonl]
"""

import numpy as np
import torch

from _timing import interleave, report
from fanin.draws import Normal, TruncatedNormal, Uniform
from fanin.torch.draws import sample_

SHAPE = (4096, 4096)
TURNS = 15


def main() -> None:
    tensor = torch.empty(SHAPE)
    array = np.empty(SHAPE, np.float32)
    generator = np.random.default_rng(0)
    init = torch.nn.init
    size = f"{SHAPE[0]} x {SHAPE[1]} float32, {torch.get_num_threads()} threads"
    report(
        f"normal, {size}",
        interleave(
            {
                "fanin": lambda: sample_(tensor, Normal(0, 0.02), 0, "weight"),
                "torch.nn.init.normal_": lambda: init.normal_(tensor, 0, 0.02),
                "numpy standard_normal": lambda: generator.standard_normal(
                    dtype=np.float32, out=array
                ),
            },
            TURNS,
        ),
    )
    report(
        f"truncated normal at 2 sigma, {size}",
        interleave(
            {
                "fanin": lambda: sample_(tensor, TruncatedNormal(0, 0.02, 2), 0, "weight"),
                "torch.nn.init.trunc_normal_": lambda: init.trunc_normal_(
                    tensor, 0, 0.02, -0.04, 0.04
                ),
            },
            5,
        ),
    )
    report(
        f"uniform, {size}",
        interleave(
            {
                "fanin": lambda: sample_(tensor, Uniform(-0.05, 0.05), 0, "weight"),
                "torch.nn.init.uniform_": lambda: init.uniform_(tensor, -0.05, 0.05),
                "numpy random": lambda: generator.random(dtype=np.float32, out=array),
            },
            TURNS,
        ),
    )


if __name__ == "__main__":
    main()
