"""All that the rules look at: plain data, gathered by the room of a framework.

A rule never sees a model. What a probe did not gather is None or empty, and the rules that need it
do not run.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from fanin.births import Births
from fanin.checks.modules import GateBias, Padding, Unregistered
from fanin.checks.starts.delta import Delta
from fanin.checks.values import Equal, Gradient, Values
from fanin.recipes import Audit, Plan, Slot
from fanin.trace import Signal, Trace


class Probe(StrEnum):
    """A way to look at a model, from the cheapest to the dearest."""

    VALUES = "values"
    """The weights are read once."""
    SIGNAL = "signal"
    """One forward and one backward pass."""
    BIRTH = "birth"
    """The model is built under a recorder, with poisoned memory."""
    REBUILD = "rebuild"
    """It is built twice more: with the same seed, and with another."""


@dataclass(frozen=True)
class Cost:
    """What a probe cost.

    Attributes:
        probe: The probe.
        seconds: How long it took.
    """

    probe: Probe
    seconds: float


@dataclass(frozen=True)
class Layer:
    """A module of the model.

    Attributes:
        path: Its name; empty for the model itself.
        kind: Its type, such as ``"Embedding"``.
        classes: Its type and all that it derives from, as ``"torch.nn.modules.sparse.Embedding"``.
        tensors: Names of its own parameters and buffers.
        settings: Its public plain attributes: numbers, texts, truth values, as ``padding_idx``.
        config: The plain entries of the configuration that it keeps (``config``, ``cfg``,
            ``args``...), if any.
        ties: Tensors that it declares to be one, each with the tensor that it is to be.
        padding: Its padding row; None where it has none.
        gates: Biases of its gates, layer by layer and direction by direction.
        unregistered: What it holds to be trained that is no parameter of the model.
    """

    path: str
    kind: str
    classes: tuple[str, ...] = ()
    tensors: tuple[str, ...] = ()
    settings: dict[str, float | int | str | bool | None] = field(
        default_factory=dict[str, float | int | str | bool | None]
    )
    config: dict[str, float | int | str | bool | None] = field(
        default_factory=dict[str, float | int | str | bool | None]
    )
    ties: tuple[tuple[str, str], ...] = ()
    padding: Padding | None = None
    gates: tuple[GateBias, ...] = ()
    unregistered: tuple[Unregistered, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What the model answered, and what it was asked for.

    Attributes:
        loss: Kind of the loss: ``"cross entropy"``, ``"binary cross entropy"``,
            ``"squared error"``, ``"absolute error"``, ``"other"``; empty where there is none.
        value: Value of the loss; None for a loss that only serves to send gradients back.
        output: The signal of the output that the loss was computed from.
        target: Mean and standard deviation of the targets, where they are numbers.
        classes: Number of classes.
        logits: Whether the output goes through a softmax or sigmoid inside the loss.
        uniform: The loss of an answer that knows nothing (``ln C``, ``ln 2``); None where unknown.
        prior: The loss of the best constant answer: the entropy of the targets, their variance.
        mean_output: Mean of the output for each class, at most 64 of them.
        batch_loss: Standard error of the loss over the examples of the batch; None if unknown.
    """

    loss: str = ""
    value: float | None = None
    output: Signal | None = None
    target: tuple[float, float] | None = None
    classes: int | None = None
    logits: bool = True
    uniform: float | None = None
    prior: float | None = None
    mean_output: tuple[float, ...] = ()
    batch_loss: float | None = None


@dataclass(frozen=True)
class Unlike:
    """A tensor that two builds do not agree on.

    Attributes:
        name: The tensor.
        what: ``"missing"``, ``"added"``, ``"shape"``, ``"dtype"``, ``"values"`` or ``"copies"``
            (parts that should differ and are equal).
        one: What the first build holds, as a person would say it.
        other: What the second holds.
    """

    name: str
    what: str
    one: str
    other: str


@dataclass(frozen=True)
class Rebuild:
    """The model built again.

    Attributes:
        same_seed: Tensors that differ although the seed is the same.
        other_seed: Random tensors that are the same although the seed is another.
        random: Names of the tensors that are drawn at all.
        ranks: Tensors on which processes of one group do not agree, or agree where they should not.
        world: Number of processes compared; 1 for none.
    """

    same_seed: tuple[Unlike, ...] = ()
    other_seed: tuple[str, ...] = ()
    random: tuple[str, ...] = ()
    ranks: tuple[Unlike, ...] = ()
    world: int = 1


STEPS = 4
"""Steps in which a parameter of zero gradient may still open: each lets one more zero layer go."""


@dataclass(frozen=True)
class Evidence:
    """Everything that was gathered.

    Attributes:
        costs: The probes that ran, and what they cost.
        slots: The parameters: role, layout, fans, surroundings.
        values: What every parameter and buffer holds, by name.
        layers: The modules, in the order of the model.
        trace: The pass; None where none was made.
        gradients: Gradients of the parameters, by name.
        stuck: Parameters that the pass used, whose gradient is exactly zero and stays so over
            `STEPS` steps of the others.
        shut: Those of them that zeros are the reason for: drawn, they let a gradient through.
        staying: Slices of a parameter that are equal and move equally in those steps, by name.
        answer: Output and loss; None where there was no pass.
        births: Who wrote what; None where no build was watched.
        rebuild: What building again showed; None where nothing was built again.
        plan: The plan that the person declared; None for none.
        audit: The model held against it.
        delta: What differs from the start that was locked; None where none was.
        pretrained: Figures of the checkpoint that the model was to start from, by name.
        notes: What the reader has to know.
    """

    costs: tuple[Cost, ...] = ()
    slots: tuple[Slot, ...] = ()
    values: dict[str, Values] = field(default_factory=dict[str, Values])
    layers: tuple[Layer, ...] = ()
    trace: Trace | None = None
    gradients: dict[str, Gradient] = field(default_factory=dict[str, Gradient])
    stuck: frozenset[str] = frozenset()
    shut: frozenset[str] = frozenset()
    staying: dict[str, tuple[Equal, ...]] = field(default_factory=dict[str, tuple[Equal, ...]])
    answer: Answer | None = None
    births: Births | None = None
    rebuild: Rebuild | None = None
    plan: Plan | None = None
    audit: Audit | None = None
    delta: Delta | None = None
    pretrained: dict[str, Values] = field(default_factory=dict[str, Values])
    notes: tuple[str, ...] = ()

    def ran(self, probe: Probe) -> bool:
        """Tell whether a probe was made.

        Args:
            probe: The probe.

        Returns:
            Whether it was.
        """
        return any(cost.probe is probe for cost in self.costs)

    def slot(self, name: str) -> Slot | None:
        """Find what is known of a parameter.

        Args:
            name: Its name, or one of its aliases.

        Returns:
            The slot; None for a buffer, or for no such parameter.
        """
        return next((slot for slot in self.slots if name in slot.names), None)
