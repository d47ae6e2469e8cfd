"""Biases that set how long a state is kept: forget gates, and time steps of state space layers."""

import math
import re
from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Layer, Probe
from fanin.checks.finding import Finding, Severity
from fanin.checks.modules import GateBias
from fanin.checks.rule import rule
from fanin.checks.values import Values
from fanin.reports.document import figure


@rule("FI706", "gate bias", Severity.WARNING, Probe.VALUES)
def gate_bias(evidence: Evidence) -> Iterator[Finding]:
    """The forget bias of an LSTM is set in some layers or directions only, or in the wrong slice.

    Why it hurts:
        A forget bias of 1 keeps the state for some ten steps, one of 0 halves it at every step.
        Layers and directions without it forget what the others keep.

    Example:
        `lstm.bias_hh_l0.data[H:2 * H] = 1` in an LSTM of three layers and two directions: five of
        six are left as they were.

    Mend:
        Go through all of them: `for name, p in lstm.named_parameters(): if "bias_hh" in name:
        p.data[H:2 * H].fill_(1)`. torch stacks the gates as input, forget, cell, output.

    When it is fine:
        No forget bias at all is the default of torch and not reported, nor is any bias that all
        layers and directions share. Trained biases go their own ways and are not reported.

    Threshold:
        Set to a constant: the slice scatters less than twice as much as by default, two uniform
        draws of bound 1 / sqrt(H), and its mean is off zero by more than 1/4 and by more than five
        standard errors of the default. 1/4 moves the gate from 0.5 to 0.56, less than any published
        choice (1 to 5).

    Source:
        Gers et al. (2000), Learning to forget; Jozefowicz et al. (2015), An empirical exploration
        of recurrent network architectures; documentation of torch.nn.LSTM for the order.
    """
    for layer in evidence.layers:
        biases = [bias for bias in layer.gates if math.isfinite(bias.mean) and bias.units]
        forget = [bias for bias in biases if bias.gate == "forget"]
        with_it = [bias for bias in forget if _off_zero(bias) and _even(bias)]
        without = [bias for bias in forget if not _off_zero(bias)]
        if with_it and without:
            yield _uneven(with_it, without)
        elif forget and len(without) == len(forget):
            cell = [bias for bias in biases if bias.gate == "cell" and bias.mean > 0.5]
            slipped = [bias for bias in cell if _off_zero(bias) and _even(bias)]
            if slipped:
                yield _wrong_slice(layer, slipped)


def _default(bias: GateBias) -> float:
    # The variance of a uniform draw of bound 1 / sqrt(H) is 1 / (3 H), and two are added up.
    return math.sqrt(2 / (3 * bias.units))


def _off_zero(bias: GateBias) -> bool:
    return abs(bias.mean) > max(0.25, 5 * _default(bias) / math.sqrt(bias.units))


def _even(bias: GateBias) -> bool:
    """Tell whether a constant was put there, on top of the default or in place of it."""
    return bias.std < 2 * _default(bias)


def _uneven(with_it: list[GateBias], without: list[GateBias]) -> Finding:
    names = tuple(name for bias in without for name in bias.names)
    return Finding(
        "FI706",
        Severity.WARNING,
        names,
        f"the forget bias is {figure(with_it[0].mean)} in {with_it[0].names[-1]}, and "
        f"{figure(without[0].mean)} in {len(without)} of {len(with_it) + len(without)} layers and "
        "directions",
        f"{figure(with_it[0].mean)} in all layers and directions",
        "those without it halve their state at every step and forget what the others keep",
        'for name, p in lstm.named_parameters(): if "bias_hh" in name: p.data[H:2*H].fill_(1)',
        title="forget bias set in some layers only",
        facts={"set": len(with_it), "not set": len(without)},
    )


def _wrong_slice(layer: Layer, slipped: list[GateBias]) -> Finding:
    return Finding(
        "FI706",
        Severity.WARNING,
        tuple(name for bias in slipped for name in bias.names),
        f"the bias of the cell gate of {layer.kind} is {figure(slipped[0].mean)}, and that of the "
        "forget gate is not set",
        "the forget gate is the second slice, [H:2*H]; the cell gate the third",
        "the candidate for the new state starts pushed to one side, and the state is forgotten",
        "p.data[H:2*H].fill_(1): torch stacks input, forget, cell, output",
        title="bias in the slice of another gate",
    )


@rule("FI713", "time step bias", Severity.INFO, Probe.VALUES)
def time_step_bias(evidence: Evidence) -> Iterator[Finding]:
    """The bias of the time step of a state space layer is one constant for all channels.

    Why it hurts:
        The time step, softplus of the bias, decides how long a channel remembers. Mamba spreads it
        over two orders of magnitude; with one large constant every channel forgets within a few
        steps.

    Example:
        `self.dt_bias = nn.Parameter(torch.ones(heads))` in the layer, while the proper start is in
        the model class around it; a sweep that zeroes the bias of every Linear, `dt_proj` among
        them.

    Mend:
        `dt = torch.exp(torch.empty(n).uniform_(math.log(1e-3), math.log(1e-1)))`, then
        `bias.copy_(dt + torch.log(-torch.expm1(-dt)))`, the inverse of softplus.

    When it is fine:
        Several published models start at a constant of 1 and learn; so this is a remark. Where a
        line set the bias and a sweep wrote over it, FI106 says so as a warning.

    Threshold:
        A constant whose softplus is above 0.1, the largest time step of the published range.

    Source:
        Gu and Dao (2023), Mamba, section 3.6: time steps between 0.001 and 0.1.
    """
    alike = [held for held in evidence.values.values() if _one_time_step(held)]
    if alike:
        step = math.log1p(math.exp(min(30.0, alike[0].maximum)))
        yield Finding(
            "FI713",
            Severity.INFO,
            tuple(held.name for held in alike),
            f"all time steps are softplus({figure(alike[0].maximum)}) = {figure(step)}",
            "time steps spread between 0.001 and 0.1",
            "each channel forgets within a few steps until the bias has been learnt; several "
            "published models do start so",
            "draw log dt uniformly between log 1e-3 and log 1e-1, and set the bias to "
            "dt + log(-expm1(-dt))",
            title="one time step for all channels",
            facts={"step": step},
        )


def _one_time_step(held: Values) -> bool:
    named = re.search(r"(^|[._])(dt|time_step|timestep)(_proj)?[._]bias$", held.name)
    return bool(named) and held.constant and math.log1p(math.exp(min(30.0, held.maximum))) > 0.1
