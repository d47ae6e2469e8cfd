"""What a public bug is, as a test sees it: the code that has it, and the same code mended.

The bugs come from public threads; the code is our own, written from the mechanism as the person who
had the bug might have written it. A factory takes one argument, `mended`, so that a reader sees in
one place what was wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

import fanin
from fanin.checks import Finding, Report, Severity

Batch = Callable[[], tuple[Any, ...]]
"""Makes what the forward pass takes, then what the loss takes."""

Loss = Callable[..., Tensor]


@dataclass(frozen=True)
class Case:
    """A bug.

    Attributes:
        id: Its number in the list of public cases; a letter behind it tells variants apart.
        what: What is wrong, in one sentence.
        factory: Builds the model, with the bug or mended.
        batch: Makes the batch.
        loss: Takes the output and the rest of the batch.
        where: Patterns of the names of which a finding must name one.
        codes: How the code of such a finding may begin.
        kind: What shows it: ``"signal"`` (values and one pass), ``"birth"`` (the build watched),
            ``"rebuild"``, ``"plan"`` (a declared plan), ``"checkpoint"`` (the pretrained weights).
        plan: The declared plan: a recipe or a scheme, or the text of a recipe file.
        pretrained: Makes the weights that the model was to start from.
    """

    id: str
    what: str
    factory: Callable[[bool], nn.Module]
    batch: Batch
    loss: Loss
    where: tuple[str, ...]
    codes: tuple[str, ...]
    kind: str
    plan: str = ""
    pretrained: Callable[[], dict[str, Tensor]] | None = None

    def __str__(self) -> str:
        return self.id

    def check(self, mended: bool, folder: Path) -> Report:
        """Check the model with the bug, or the mended one; `folder` takes the file of a plan."""
        more: dict[str, Any] = {}
        if self.plan:
            more["plan"] = self.plan
            if "\n" in self.plan:
                more["plan"] = folder / f"{self.id}.toml"
                more["plan"].write_text('format = "fanin-recipe-1"\n' + self.plan)
        if self.pretrained is not None:
            more["pretrained"] = self.pretrained()
        return fanin.check(partial(self.factory, mended), *self.batch(), loss=self.loss, **more)

    def fits(self, finding: Finding) -> bool:
        """Tell whether a finding is about this bug, and at the right place."""
        return (
            finding.severity is not Severity.INFO
            and finding.code.startswith(self.codes)
            and any(map(self.names, finding.where))
        )

    def names(self, name: str) -> bool:
        """Tell whether a tensor is one that a finding has to name."""
        return any(fnmatchcase(name, like) for like in self.where)


@dataclass(frozen=True)
class Control:
    """Something that looks wrong and is meant so.

    Attributes:
        id: Its number in the list of public cases, and which variant of it.
        what: Why it is fine, in one sentence.
        build: Builds the model.
        batch: Makes the batch.
        loss: Takes the output and the rest of the batch.
    """

    id: str
    what: str
    build: Callable[[], nn.Module]
    batch: Batch
    loss: Loss

    def __str__(self) -> str:
        return self.id


def case(
    number: str,
    *,
    batch: Batch,
    where: str,
    codes: str,
    kind: str = "signal",
    loss: Loss = functional.cross_entropy,
    plan: str = "",
    pretrained: Callable[[], dict[str, Tensor]] | None = None,
) -> Callable[[Callable[[bool], nn.Module]], Case]:
    """Make a case of a factory; its docstring says what is wrong. Words are parted by spaces."""

    def made(factory: Callable[[bool], nn.Module]) -> Case:
        what = (factory.__doc__ or "").strip().removesuffix(".")
        told = where.split(), codes.split()
        return Case(
            number,
            what,
            factory,
            batch,
            loss,
            tuple(told[0]),
            tuple(told[1]),
            kind,
            plan,
            pretrained,
        )

    return made


def control(
    number: str, *, batch: Batch, loss: Loss = functional.cross_entropy
) -> Callable[[Callable[[], nn.Module]], Control]:
    """Make a control of a factory; its docstring says why it is fine."""

    def made(build: Callable[[], nn.Module]) -> Control:
        return Control(number, (build.__doc__ or "").strip().removesuffix("."), build, batch, loss)

    return made
