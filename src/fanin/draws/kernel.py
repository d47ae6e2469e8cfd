"""The fast implementation: compiled runs, over threads.

Threads take disjoint parts of a run, and since an element depends on its index alone, their number
changes nothing.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fanin.draws.compiled import fill_normal, fill_uniform
from fanin.draws.laws import Law, Normal, TruncatedNormal, Uniform
from fanin.draws.quantiles import table

SHARE = 2**17
"""Elements below which another thread costs more than it saves."""


def fill_run(out: NDArray[np.float32], law: Law, key: tuple[int, int], start: int) -> None:
    """Fill one contiguous run of a stream.

    Args:
        out: One-dimensional, contiguous, float32; written.
        law: Distribution of one element, not `Constant`.
        key: The stream's key.
        start: Flat index of the run's first element in the whole tensor.
    """
    work = _worker(law, np.uint32(key[0]), np.uint32(key[1]))
    threads = min(_processors(), out.shape[0] // SHARE)
    if threads < 2:
        work(start, out)
        return
    edges = [out.shape[0] * part // threads for part in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        parts = pairwise(edges)
        done = [pool.submit(work, start + low, out[low:high]) for low, high in parts]
        for part in done:
            part.result()


def _worker(
    law: Law, key0: np.uint32, key1: np.uint32
) -> Callable[[int, NDArray[np.float32]], None]:
    match law:
        case Uniform(low, high):
            half, centre = np.float32(high / 2 - low / 2), np.float32(high / 2 + low / 2)
            return lambda start, out: fill_uniform(
                key0, key1, start, out, centre, half, np.float32(low), np.float32(high)
            )
        case TruncatedNormal(mean):
            std, cut = law.parent_std, law.cut
        case Normal(mean, std):
            cut = np.inf
        case _:
            raise TypeError(f"{law} draws nothing")
    return lambda start, out: fill_normal(
        key0, key1, start, out, np.float32(mean), np.float32(std), np.float32(cut), *table()
    )


def _processors() -> int:
    """Processors this process may run on, which a container often limits."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
