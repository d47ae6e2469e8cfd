"""`fanin.check`: is this network started right, and if not, what is wrong and how is it mended?

The framework is found among the modules that are loaded already; its room gathers plain data, the
rules look at that, and what they find is one report.
"""

import sys
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from fanin.checks import Probe, Report, Settings, examine
from fanin.checks.declared import declared
from fanin.checks.starts import Start, compared, read_lock
from fanin.checks.starts.reading import start_of
from fanin.errors import FaninError, nearest
from fanin.recipes import Plan
from fanin.verbs import mend as mending

WITHOUT_BUILD = (Probe.VALUES, Probe.SIGNAL)
"""What can be seen of a model that is there already."""


def check(
    model: Any,
    *batch: Any,
    loss: Callable[..., Any] | None = None,
    plan: Plan | str | Path | None = None,
    pretrained: Any = None,
    lock: Start | str | Path | None = None,
    probes: Collection[str] | None = None,
    settings: Settings | None = None,
    ranks: int = 1,
    prove: bool = False,
    fix: bool = False,
    seed: int = 0,
) -> Report:
    """Check the start of a model. The model is left as it was, unless it is to be fixed.

    Args:
        model: A `torch.nn.Module`, or better a function without arguments that builds one: then it
            is also seen who wrote each tensor, and whether building again gives the same.
        *batch: What its forward pass takes, then what the loss takes. Without it there is no pass.
        loss: Makes a number of what the model puts out; by default the model's own, or one that the
            rest of the batch calls for.
        plan: What the model was to start as: a plan, the file of one, or a recipe such as
            ``"gpt2"``.
        pretrained: The weights it was to start from: a safetensors file, or names to tensors.
        lock: The start it was to keep, as `fanin.lock` wrote it.
        probes: What to do: ``"values"``, ``"signal"``, ``"birth"``, ``"rebuild"``; by default all
            that what was passed allows.
        settings: What to report, and how severely.
        ranks: Processes of one group, over gloo, to build the model in as well.
        prove: Whether to train copies of the model on the batch, as it is and mended; what trains
            as well is then told more mildly.
        fix: Whether to fill the tensors that have a safe fix again, in the model that was passed or
            built, and to check it once more.
        seed: Seed of the builds and of the pass.

    Returns:
        What was found; prints as a text, the worst first.

    Raises:
        FaninError: The model cannot be built, read or run.

    Example:
        >>> import torch
        >>> def build():
        ...     model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Linear(8, 2))
        ...     torch.nn.init.constant_(model[0].bias, float("nan"))
        ...     return model
        >>> [(one.code, one.where) for one in check(build, torch.randn(8, 4)).findings]
        [('FI102', ('0.bias',))]
    """
    wanted = _probes(probes, given=is_module(model))
    if isinstance(plan, str | Path) and not str(plan):
        raise FaninError("plan is empty: pass a recipe such as plan='gpt2', or a file")
    if ranks != 1 and Probe.REBUILD not in wanted:
        raise FaninError(
            "ranks builds the model in several processes: pass the function that builds it, and "
            'leave "rebuild" among the probes'
        )
    if ranks < 1:
        raise FaninError(f"ranks is a number of processes, at least 1, got {ranks}")
    asked = probes is not None and Probe.SIGNAL in wanted
    if not batch and (asked or loss is not None):
        what = 'the probe "signal"' if asked else "loss"
        raise FaninError(f"{what} needs a batch to run the model on, and none was passed")
    from fanin.torch.evidence import gather

    kept = read_lock(Path(lock)) if isinstance(lock, str | Path) else lock

    def look(at: Any) -> tuple[Any, Report]:
        made, seen = gather(
            at,
            batch,
            loss,
            probes=wanted,
            pretrained=pretrained,
            ranks=ranks if Probe.REBUILD in wanted else 1,
            seed=seed,
        )
        if plan is not None:
            seen = declared(seen, plan)
        if kept is not None:
            seen = replace(seen, delta=compared(kept, start_of(seen, "this build", seed)))
        return made, examine(seen, settings, seed)

    made, report = look(model)
    if prove:
        report = mending.prove(made, report, batch, loss)
    if not fix:
        return report
    return mending.mend(made, report, batch, loss, lambda: look(made)[1])


def is_module(model: Any) -> bool:
    """Tell a model from what builds one.

    Args:
        model: Either.

    Returns:
        Whether it is a model.

    Raises:
        FaninError: It is neither.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.nn.Module):
        return True
    if callable(model):
        return False
    raise FaninError(
        "fanin.check takes a torch.nn.Module or a function that builds one, got "
        f"{type(model).__name__}"
    )


def _probes(names: Collection[str] | None, *, given: bool) -> tuple[Probe, ...]:
    if names is None:
        return WITHOUT_BUILD if given else tuple(Probe)
    if isinstance(names, str):
        names = names.split(",")
    for name in names:
        if name not in tuple(Probe):
            known = ", ".join(Probe)
            raise FaninError(
                f"there is no probe {name!r}{nearest(str(name), list(Probe))}; there are {known}"
            )
    wanted = tuple(probe for probe in Probe if probe in names)
    unable = [probe for probe in wanted if given and probe not in WITHOUT_BUILD]
    if unable:
        raise FaninError(
            f"{' and '.join(unable)} need the function that builds the model, and a model that is "
            "there was passed: fanin.check(build, ...)"
        )
    return wanted
