"""Studies with known curves, built by hand: no training, no chance."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fanin.studies.design import Design
from fanin.studies.optimizer import Optimizer
from fanin.studies.study import Study

LN2 = float(np.log(2))
"""Loss of the best constant guess for two classes as common."""


def design(schemes: Sequence[str], repeats: int, points: int, **changes: Any) -> Design:
    """A design of 10 steps an epoch, measured at the end of each."""
    settings: dict[str, Any] = {
        "network": "4-1 sigmoid",
        "data": "banknotes.csv, target class, 960 training and 412 held-out rows",
        "schemes": tuple(schemes),
        "repeats": repeats,
        "seed": 0,
        "optimizer": Optimizer("rmsprop"),
        "batch_size": 16,
        "steps": 10 * (points - 1),
        "steps_per_epoch": 10,
        "points": tuple(10 * point for point in range(points)),
        "loss": "bce",
    }
    return Design(**{**settings, **changes})


def study_of(
    curves: Mapping[str, ArrayLike],
    *,
    accuracy: bool = False,
    held_out: bool = True,
    notes: Sequence[str] = (),
    **changes: Any,
) -> Study:
    """A study whose held-out losses are these, shape (repeat, point) for each scheme.

    The training loss is the same less a hundredth of itself, the accuracy 1 - loss / 2.
    """
    losses = np.stack([np.asarray(curve, dtype=np.float32) for curve in curves.values()])
    both = np.stack(
        [losses * np.float32(0.99), losses if held_out else np.full_like(losses, np.nan)]
    )
    filled = {"loss": both}
    if accuracy:
        filled["accuracy"] = 1 - np.where(np.isinf(both), 1, both) / 2
    plan = design(tuple(curves), *losses.shape[1:], **changes)
    held_out_baseline = LN2 if held_out else None
    return Study.from_curves(
        plan, filled, baseline=LN2, held_out_baseline=held_out_baseline, notes=notes
    )


def falling(final: ArrayLike, start: float = 0.7, points: int = 6) -> NDArray[np.float64]:
    """Curves that fall early, to these final losses, and stay: shape (repeat, point)."""
    ends = np.asarray(final, dtype=np.float64)
    share = np.minimum(np.arange(points) / 2, 1.0)
    return start + (ends[:, None] - start) * share


def lesson() -> Study:
    """The likeness of a lab: five schemes, twenty repeats, some real differences and some luck."""
    generator = np.random.default_rng(0)
    shared = generator.normal(0, 0.01, 20)
    centres = {
        "zeros": (0.40, 0.002),
        "uniform(-0.05, 0.05)": (0.40, 0.004),
        "normal(0, 0.05)": (0.40, 0.006),
        "he_normal": (0.45, 0.05),
        "lecun_uniform": (0.33, 0.02),
    }
    curves = {
        scheme: falling(centre + shared + generator.normal(0, spread, 20))
        for scheme, (centre, spread) in centres.items()
    }
    curves["he_normal"][3, 4:] = np.inf
    curves["zeros"][5] = 0.69
    return study_of(curves, accuracy=True, notes=("Trained by hand.",))
