"""Setting the scales of a plan from a batch, layer by layer in the order of execution.

A plan computes its scales from the fans and the activations; a batch shows what comes of it. Here
each kernel is divided by the spread of its own output, before the activation, and each bias takes
the mean of its units away. A product is linear in its kernel, so one pass sets all of them: a layer
is put right while the pass goes through it, and the next one already sees the mended signal. The
result is a plan with other numbers in it, which gives the same weights again without the batch.
"""

import math
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from fanin.errors import FaninError
from fanin.recipes import Plan, Row
from fanin.schemes import listed
from fanin.schemes.rescale import rescaled
from fanin.torch.apply import init_, is_plain
from fanin.torch.calibrated import Choice, choose, noted, short
from fanin.torch.layouts import survey
from fanin.torch.products import Product, Watch
from fanin.torch.randomness import seeded
from fanin.torch.tracing.untouched import untouched

TOLERANCE = 0.01
"""How far a spread may be from its target, and a mean from its place, in units of the target."""

ROUNDS = 6
"""Passes that set, each with one that looks. One is enough unless a kernel is used twice."""

NEGLIGIBLE = 1e-4
"""How far units may be off their place, in units of the target, and their bias still be left."""

SMALLEST = 1e-12
"""Spread below which an output is the same for every example, and says nothing of the scale."""


def calibrate(model: nn.Module, plan: Plan, seed: int, run: Callable[[], object]) -> Plan:
    """Set the scales of a plan from one batch.

    Every kernel gets an output of standard deviation 1, and every bias of such a kernel centres its
    units where the plan had put the bias, mostly at zero. With a bias the deviation is the one
    about the mean of each unit, without one it is about the mean of all; a kernel that is used more
    than once has it over all uses, and its bias is left alone. What writes to a residual
    stream or is the last layer keeps the ratio that the plan gives it to the other kernels, and
    what the plan starts at zero stays there. Recurrent layers, embeddings and weights behind a
    parametrisation are left as planned.

    Args:
        model: The model, with memory; its values, buffers and random states are as before
            afterwards.
        plan: The plan of the model.
        seed: The one seed, from 0 to 2**64 - 1.
        run: Runs the model on the batch, forward only, in the modes that it is in.

    Returns:
        The plan with numbers for gains and biases. The reason of each row says what was measured;
        ``init_(model, plan, seed)`` starts the model without the batch.

    Raises:
        FaninError: The plan is not for this model, or the model has no memory.

    Example:
        >>> from fanin.torch.apply import planned
        >>> model = nn.Sequential(nn.Linear(8, 16), nn.Sigmoid(), nn.Linear(16, 16))
        >>> batch = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
        >>> plan = planned(survey(model), "orthogonal")
        >>> _ = init_(model, calibrate(model, plan, 0, lambda: model(batch)), 0)
        >>> output = model(batch)
        >>> round(output.std(0).square().mean().sqrt().item(), 1)
        1.0

    References:
        Mishkin and Matas (2016), All you need is a good init, arXiv 1511.06422, algorithm 1: unit
        variance of the output of each layer, in order. The centring of the biases is not in it;
        without it a deep stack of sigmoids or softplus stays untrainable.
    """
    sites = survey(model)
    if any(tensor.is_meta for site in sites for tensor in site.place.tensors):
        raise FaninError(
            "calibrating runs the model, and parts of it are on the meta device: call fanin.init_ "
            "first, which gives it memory"
        )
    with _undisturbed(model, seed):
        applied = init_(model, plan, seed)
        plan = applied.plan
        parameters = {
            row.name: site.place.tensors[0]
            for site, row in zip(sites, applied.rows, strict=True)
            if is_plain(site.place)
        }
        tables = {
            row.name
            for site, row in zip(sites, applied.rows, strict=True)
            for use in (site.slot, *site.slot.uses)
            if use.layout is not None and use.layout.lookup
        }
        choice = choose(plan.rows, parameters, tables)
        uses = _uses(parameters, seed, run)
        state = _State(
            choice,
            parameters,
            {name: held.clone() for name, held in parameters.items()},
            frozenset(name for name, count in uses.items() if count > 1),
        )
        first, found, centred = dict[str, float](), dict[str, _Found](), set[str]()
        rows = {row.name: row for row in plan.rows}
        for _ in range(ROUNDS):
            mended = _pass(state, seed, run, mend=True)
            first = {name: one.spread for name, one in mended.items()} | first
            centred |= {one.bias for one in mended.values() if one.bias and one.moved}
            rows |= _changed(rows, state, mended)
            current = replace(plan, rows=tuple(rows[row.name] for row in plan.rows))
            init_(model, current, seed)
            found = _pass(state, seed, run, mend=False)
            if state.settled(found):
                break
    reached = {name: one.spread for name, one in found.items()}
    return replace(plan, rows=noted(rows.values(), choice, first, reached, centred))


@dataclass
class _Found:
    """What the outputs of one kernel were like in one pass.

    Attributes:
        bias: The bias that centres it, if any.
        squares: Square of the spread, one for each use.
        mean: Mean of the units, bias included, where there is one.
        factor: What the kernel was multiplied by.
        moved: Whether the bias had to be set to centre it.
    """

    bias: str | None
    squares: list[float] = field(default_factory=list[float])
    mean: Tensor | None = None
    factor: float = 1.0
    moved: bool = False

    @property
    def spread(self) -> float:
        """Standard deviation over all uses."""
        return (sum(self.squares) / len(self.squares)) ** 0.5


@dataclass
class _State:
    """What to aim at, which moves where a kernel is used twice.

    Attributes:
        choice: What is calibrated.
        parameters: Name to parameter of the model.
        planned: Name to the values that the plan gave it.
        shared: Kernels that are used more than once: no bias centres them all.
        aims: Kernel to the spread of its first use.
        places: Bias to the means of its units.
        tried: Kernel to the aim before, and the spread that it gave.
    """

    choice: Choice
    parameters: Mapping[str, Tensor]
    planned: Mapping[str, Tensor]
    shared: frozenset[str]
    aims: dict[str, float] = field(init=False)
    places: dict[str, Tensor] = field(init=False)
    tried: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])

    def __post_init__(self) -> None:
        self.aims = dict(self.choice.targets)
        self.places = {name: self.planned[name].float() for name in self.choice.centring}

    def bias_of(self, product: Product, units: int) -> str | None:
        """Find the bias that can centre a product."""
        if product.kernel in self.shared:
            return None
        name = product.bias or self.choice.siblings.get(product.kernel)
        fits = name in self.choice.centring and self.parameters[name].shape == (units,)
        return name if fits else None

    def settled(self, found: Mapping[str, _Found]) -> bool:
        """Tell whether all is near enough, and move the aims if not."""
        near = True
        for name, one in found.items():
            target = self.choice.targets[name]
            near = near and abs(one.spread / target - 1) <= TOLERANCE
            self._aim(name, one, target)
            if one.bias is not None and one.mean is not None:
                shift = self.planned[one.bias].float() - one.mean
                near = near and bool(shift.abs().max() <= TOLERANCE * target)
                self.places[one.bias] = self.places[one.bias] + shift
        return near

    def _aim(self, name: str, one: _Found, target: float) -> None:
        """Step along the secant in logarithms: uses in a row multiply, uses side by side add."""
        aim, uses = self.aims[name], len(one.squares)
        power = float(uses)
        before = self.tried.get(name)
        if before is not None and before[0] != aim:
            power = math.log(one.spread / before[1]) / math.log(aim / before[0])
        self.tried[name] = aim, one.spread
        self.aims[name] = aim * (target / one.spread) ** (1 / min(max(power, 1.0), uses))


def _pass(state: _State, seed: int, run: Callable[[], object], *, mend: bool) -> dict[str, _Found]:
    """Run the batch once and look at every product; or put each right at its first use."""
    found = dict[str, _Found]()

    def seen(product: Product, result: Tensor) -> bool:
        name = product.kernel
        if name not in state.choice.targets or (mend and name in found):
            return False
        signal = result.detach().float().movedim(product.axis, 0).flatten(1)
        bias = state.bias_of(product, len(signal))
        mean = signal.mean(1)
        centre = mean[:, None] if bias is not None else signal.mean()
        square = (signal - centre).square().mean().item()
        if not SMALLEST**2 < square < math.inf:
            return False
        one = found.setdefault(name, _Found(bias))
        one.squares.append(square)
        if mend:
            one.factor = state.aims[name] / one.spread
            state.parameters[name].mul_(one.factor)
        if bias is not None:
            own = state.parameters[bias].float()
            without = mean - own if product.bias == bias else mean
            one.mean = without + own
            place = state.places[bias] - one.factor * without
            if mend and bool((place - own).abs().max() > NEGLIGIBLE * state.aims[name]):
                state.parameters[bias].copy_(place)
                one.moved = True
        return mend

    _run(state.parameters, seen, seed, run)
    return found


def _uses(parameters: Mapping[str, Tensor], seed: int, run: Callable[[], object]) -> Counter[str]:
    """Count how often each kernel meets a signal."""
    counts = Counter[str]()

    def seen(product: Product, _: Tensor) -> bool:
        counts[product.kernel] += 1
        return False

    _run(parameters, seen, seed, run)
    return counts


def _run(
    parameters: Mapping[str, Tensor],
    seen: Callable[[Product, Tensor], bool],
    seed: int,
    run: Callable[[], object],
) -> None:
    # What a dropout draws is the same in every pass.
    with seeded(seed, "calibration"), Watch(parameters, seen):
        run()


def _changed(
    rows: Mapping[str, Row], state: _State, mended: Mapping[str, _Found]
) -> dict[str, Row]:
    """Write down what a pass has set."""
    changed = dict[str, Row]()
    for name, one in mended.items():
        changed[name] = replace(rows[name], scheme=short(rescaled(rows[name].scheme, one.factor)))
        if one.bias is not None and one.moved:
            numbers = tuple(map(float, state.parameters[one.bias].double().cpu().numpy()))
            changed[one.bias] = replace(rows[one.bias], scheme=short(listed(numbers)))
    return changed


@contextmanager
def _undisturbed(model: nn.Module, seed: int) -> Generator[None]:
    """Put every value back at the end, and let every product of a pass be seen."""
    parameters = [(tensor, tensor.detach().clone()) for tensor in model.parameters()]
    # Fused kernels of the attention take the weights where nobody sees it.
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(value=False)
    try:
        with untouched(model, seed, "calibration"), torch.no_grad():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(value=fast)
        with torch.no_grad():
            for tensor, before in parameters:
                tensor.copy_(before)
