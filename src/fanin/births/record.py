"""The record of a build, with no framework object in it.

A birth is the life of one tensor up to the moment the model was handed over: where its memory came
from, and every write into it, in order, each with the line of the person's own code that asked for
it and what it did to the values.
"""

import json
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase

from fanin.errors import FaninError, nearest
from fanin.reports.numbers import jsonable
from fanin.reports.terminal import plain


@dataclass(frozen=True)
class Frame:
    """A line of the person's own code.

    Attributes:
        file: Path of the file, relative to the working directory where it lies below it.
        line: Line number, from 1.
        function: Name of the function, with its class where it is a method.
        text: The line itself, stripped; empty where the source is not at hand.
    """

    file: str
    line: int
    function: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Snapshot:
    """What a tensor held at one moment.

    Attributes:
        mean: Mean over its finite elements.
        std: Standard deviation over them.
        minimum: Smallest of them.
        maximum: Largest of them.
        unwritten: Fraction of the elements that nobody has written yet: memory as it was found.
        digest: A fingerprint of all the values; equal values have equal ones.
    """

    mean: float
    std: float
    minimum: float
    maximum: float
    unwritten: float
    digest: str


@dataclass(frozen=True)
class Allocation:
    """Where the memory of a tensor came from.

    Attributes:
        function: What made it: ``"torch.empty"``, ``"torch.zeros"``, ``"deepcopy"``.
        empty: Whether it came as it was found, to be filled by somebody.
        frames: The person's frames, the innermost first.
    """

    function: str
    empty: bool
    frames: tuple[Frame, ...] = ()


@dataclass(frozen=True)
class Write:
    """One write into a tensor.

    Attributes:
        order: Its place among all writes of the build, from 0.
        function: What wrote, as the person would call it: ``"nn.init.normal_"``, ``"copy_"``,
            ``"load_state_dict"``, ``"__setitem__"``.
        arguments: Its arguments other than the tensor, as they would be typed.
        frames: The person's frames, the innermost first. Empty where no line of theirs asked.
        by: ``"constructor"`` where the layer's own class wrote while it was made, ``"reset"`` where
            `reset_parameters` of it was called again, ``"load"`` for a checkpoint, ``"made"`` where
            the memory came with it (`torch.zeros(3)`), ``"init"`` for everything else that the
            person's code wrote on purpose.
        scope: Names of the functions that were running, the outermost first, such as
            ``("build", "Net.__init__", "Net.init_weights")``: writes of one sweep share them.
        elements: How many elements it reached.
        of: How many the tensor has.
        before: What the tensor held before; None where nobody looked.
        after: What it held after.
        stream: A fingerprint of the state of the random generator that was drawn from; empty for a
            write that drew nothing. Two draws of one law and size from one state are copies.
        library: The installed package whose code wrote, where the person's line only called it, as
            ``"transformers"``; empty where the line itself asked for the write.
    """

    order: int
    function: str
    arguments: str
    frames: tuple[Frame, ...]
    by: str
    scope: tuple[str, ...]
    elements: int
    of: int
    before: Snapshot | None
    after: Snapshot
    stream: str = ""
    library: str = ""

    @property
    def changed(self) -> bool:
        """Whether the tensor holds something else than before."""
        return self.before is None or self.before.digest != self.after.digest

    @property
    def whole(self) -> bool:
        """Whether it reached every element."""
        return self.elements >= self.of


@dataclass(frozen=True)
class Lost:
    """A write that no tensor of the model holds.

    Attributes:
        write: The write.
        into: What it went to: ``"a temporary"``, ``"a derived tensor"`` (made anew from others at
            every use), ``"an empty placeholder"``, ``"memory that was replaced"``.
        of: Name of the tensor of the model that it was meant for, as far as it can be told; empty
            where it cannot.
    """

    write: Write
    into: str
    of: str = ""


@dataclass(frozen=True)
class Birth:
    """The life of one tensor of a model, up to now.

    Attributes:
        name: Qualified name, as a plan has it.
        shape: Its shape.
        dtype: Its dtype, such as ``"float32"``.
        buffer: Whether it is a buffer, else a parameter.
        aliases: Further names of the same memory.
        allocation: Where its memory came from; None where that was not seen.
        writes: Every write, in order.
        unwritten: Fraction of the elements that nobody ever wrote.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    buffer: bool
    aliases: tuple[str, ...] = ()
    allocation: Allocation | None = None
    writes: tuple[Write, ...] = ()
    unwritten: float = 0.0

    @property
    def last(self) -> Write | None:
        """The last write that changed anything, or else the last of all."""
        changing = [write for write in self.writes if write.changed]
        return (changing or list(self.writes) or [None])[-1]


@dataclass(frozen=True)
class Births:
    """Who wrote each tensor of a model.

    Attributes:
        tensors: One birth for each parameter and buffer, in the order of the model.
        lost: Writes that no tensor of the model holds.
        uncalled: Methods of the person's classes that look as if they initialise and never ran, as
            ``"Net.init_weights"`` with the line they are defined in.
        idle: Such methods that ran and wrote nothing.
        seconds: How long the build took under the recorder.
        notes: What the reader has to know.
    """

    tensors: tuple[Birth, ...]
    lost: tuple[Lost, ...] = ()
    uncalled: tuple[tuple[str, Frame], ...] = ()
    idle: tuple[tuple[str, Frame], ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    def of(self, name: str) -> Birth | None:
        """Find the birth of a tensor.

        Args:
            name: Its name, or one of its aliases.

        Returns:
            The birth; None where there is no such tensor.
        """
        return next((b for b in self.tensors if name == b.name or name in b.aliases), None)

    def matching(self, pattern: str) -> "Births":
        """Keep what is said of the tensors whose name fits a pattern.

        Args:
            pattern: A pattern of `fnmatch`, such as ``"*.bias"``.

        Returns:
            The births of these, and the writes that were meant for them.

        Raises:
            FaninError: No name fits.
        """
        if pattern == "*":
            return self
        names = {name for birth in self.tensors for name in (birth.name, *birth.aliases)}
        fit = {name for name in names if fnmatchcase(name, pattern)}
        if not fit:
            raise FaninError(f"no tensor is called {pattern}{nearest(pattern, sorted(names))}")
        return replace(
            self,
            tensors=tuple(b for b in self.tensors if fit & {b.name, *b.aliases}),
            lost=tuple(lost for lost in self.lost if lost.of in fit),
        )

    @property
    def ok(self) -> bool:
        """Whether every element was written, and every write kept."""
        return not self.lost and not any(birth.unwritten for birth in self.tensors)

    def __str__(self) -> str:
        from fanin.births.table import document

        return plain(document(self))

    def to_json(self) -> str:
        """Write the births as JSON.

        Returns:
            An object with the fields of this class, and of those inside.
        """
        return json.dumps(jsonable(asdict(self)), allow_nan=False)
