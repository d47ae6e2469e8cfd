"""A restart for programs and for a page.

The JSON object has the attributes of `fanin.studies.restart.Restart` by name, with ``format``,
``fanin``, ``verdict`` and ``losses`` beside them and without the weights, which belong in a
safetensors file. Each start is an object with its scheme, its seed, whether it is a control, and
its training losses at ``points``; null stands for what was not measured, the text ``"inf"`` for a
loss that diverged.
"""

import dataclasses
import importlib.metadata
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from fanin.reports.numbers import jsonable

if TYPE_CHECKING:
    from fanin.studies.restart import Restart

FORMAT = "fanin restart 1"
"""Name and version of the layout."""


def to_json(restart: "Restart") -> str:
    """Write a restart.

    Args:
        restart: The result.

    Returns:
        One JSON object.
    """
    controls = set(restart.controls)
    starts = [
        {
            "scheme": restart.design.schemes[trial.scheme],
            "seed": trial.run.start,
            "control": place in controls,
            "losses": [float(f"{loss:.6g}") for loss in restart.curves[0, place]],
        }
        for place, trial in enumerate(restart.trials)
    ]
    written: dict[str, Any] = {
        "format": FORMAT,
        "fanin": importlib.metadata.version("fanin"),
        "verdict": list(restart.document().verdict),
        "design": json.loads(restart.design.to_json()),
        "eta": restart.eta,
        "rungs": [dataclasses.asdict(rung) for rung in restart.rungs],
        "spent": restart.spent,
        "best": dataclasses.asdict(restart.best),
        "target": restart.target,
        "target_given": restart.target_given,
        "baseline_loss": restart.baseline,
        "minima": [dataclasses.asdict(minimum) for minimum in restart.minima],
        "compared_on": restart.compared_on,
        "worth": [dataclasses.asdict(worth) for worth in restart.worth],
        "long": None if restart.long is None else dataclasses.asdict(restart.long),
        "losses": restart.losses.tolist(),
        "points": list(restart.points),
        "starts": starts,
        "notes": list(restart.notes),
        "stopped": restart.stopped,
    }
    return json.dumps(jsonable(written))


def to_page(restart: "Restart") -> str:
    """Write a restart as one HTML page.

    Args:
        restart: The result.

    Returns:
        The text of the file.
    """
    from fanin.reports.charts import final_chart
    from fanin.reports.page import page

    design, finals = restart.design, restart.curves[0, :, -1].astype(np.float64)
    ends, medians = dict[str, Any](), dict[str, tuple[float, float, float]]()
    for index, worth in enumerate(restart.worth):
        own = [place for place in restart.controls if restart.trials[place].scheme == index]
        known = finals[own][~np.isnan(finals[own])]
        if known.size:
            ends[worth.scheme] = known
            medians[worth.scheme] = (worth.median.value, worth.median.low, worth.median.high)
    charts = {"Where the controls end": final_chart(ends, medians, "training loss")} if ends else {}
    facts = {
        "network": design.network,
        "data": design.data,
        "schemes": ", ".join(design.schemes),
        "starts": f"{design.repeats} of each scheme, seeds {design.seed} to {design.seeds[-1]}",
        "optimiser": str(design.optimizer),
        "training": f"{design.steps} steps in batches of {design.batch_size}",
        "loss": design.loss,
        "fanin": importlib.metadata.version("fanin"),
    }
    return page(restart.document(), charts, (), facts, to_json(restart), name="restart.json")
