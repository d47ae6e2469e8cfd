"""How a study was made, fact by fact, as its page tells it below the figures."""

from fanin.studies.design import Design
from fanin.studies.summary import Summary


def facts(design: Design, summary: Summary, version: str) -> dict[str, str]:
    """List what was fixed and what was varied.

    Args:
        design: What was fixed.
        summary: The figures, which say what the schemes are judged by.
        version: The version of fanin that trained.

    Returns:
        One line of text by name, in the order they are read.
    """
    seeds = f"{design.seeds[0]} to {design.seeds[-1]}" if design.repeats > 1 else f"{design.seed}"
    loss = {"bce": "binary cross-entropy", "cross_entropy": "cross-entropy"}
    training = (
        f"{design.steps} steps in batches of {design.batch_size} ({design.steps_per_epoch} "
        f"steps an epoch), measured at {len(design.points)} points"
    )
    orders = "within a repeat also the order of the data"
    crossed = dict[str, str]()
    if design.orders > 1:
        orders = "every repeat meets the same orders of the data"
        last = design.seed + design.orders - 1
        crossed["data orders"] = f"{design.orders}, seeds {design.seed} to {last}"
    baseline = {} if summary.reference is None else {"baseline": summary.reference}
    return {
        "network": design.network,
        "data": design.data,
        "schemes": ", ".join(design.schemes),
        **baseline,
        "repeats": f"{design.repeats}, seeds {seeds}",
        **crossed,
        "held fixed": f"everything but the scheme; {orders}",
        "loss": loss.get(design.loss, "mean squared error"),
        "optimiser": str(design.optimizer),
        "training": training,
        "judged by": f"{summary.measure} at step {summary.steps}",
        "fanin": version,
    }
