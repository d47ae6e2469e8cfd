"""What `explain` says of an activation: figures from the theory, and what follows from them.

A gain that is right for one layer may be wrong for fifty, so the page says what a plain stack does
under it, and warns in plain words where a stack drifts away.
"""

from fanin.theory import (
    Activation,
    Mirrored,
    StableGain,
    batch_norm_gradient,
    chi,
    correlation_depth_scale,
    critical_points,
    gain,
    half_stable,
    length_slope,
    mirrored,
    moments,
    stable_gain,
    variance_gain,
)
from fanin.theory.criticality import critical_at
from fanin.theory.curves import curve

Figures = tuple[tuple[str, float], ...]

GAINS = (
    "Weights of standard deviation gain / sqrt(fan_in) keep the size of a unit signal, those of "
    "the backward gain the size of its gradient. The variance gain is for a signal whose mean is "
    "taken away before the next layer."
)

DEPTH = 50
"""Layers of the plain stack that the page speaks of."""

NEUTRAL = 1e-6
"""Distance of a slope from 1 that is rounding."""

DEEPEST = 1e4
"""A depth scale beyond this is that of a critical network: nothing fades in any real depth."""


def activation_page(known: Activation) -> tuple[str, Figures]:
    """Write the page on one activation.

    Args:
        known: The activation.

    Returns:
        The text, and name and value of each figure.

    Example:
        >>> from fanin.theory import activation
        >>> text, figures = activation_page(activation("gelu"))
        >>> "Warning: unit size is unstable" in text, round(dict(figures)["gain"], 4)
        (True, 1.5335)
    """
    forward, odd = gain(known), mirrored(known)
    slope, chi_1 = length_slope(known, 1.0, forward), chi(known, 1.0, forward)
    paragraphs = (
        GAINS,
        f"{_length(slope)} {_gradient(chi_1)}",
        _deep(stable_gain(known, DEPTH)),
        _mirrors(odd),
        f"Source: {known.source}.",
    )
    figures = (
        *_moments(known),
        ("gain", forward),
        ("backward gain", gain(known, "backward")),
        ("variance gain", variance_gain(known)),
        ("slope of the length map at the gain", slope),
        ("chi_1 at the gain", chi_1),
        *_depth_scale(known, forward),
        *_critical(known),
        ("gradient factor of linear, batch norm and this", batch_norm_gradient(known)),
        ("slope of the odd part at 0", odd.initial_slope),
    )
    return "\n\n".join(paragraphs), figures


def _length(slope: float) -> str:
    if slope > 1 + NEUTRAL:
        return (
            f"Warning: unit size is unstable at this gain. An error of the variance is multiplied "
            f"by {slope:.4g} per layer, so a plain stack drifts away, to nothing or to infinity: "
            "use normalisation, residual branches or mirrored weights."
        )
    if slope < 1 - NEUTRAL:
        return (
            "Unit size is stable at this gain: a layer multiplies an error of the variance by "
            f"{slope:.4g}."
        )
    return (
        "Any size is kept at this gain: no layer brings back an error of the variance, and none "
        "makes it larger."
    )


def _gradient(chi_1: float) -> str:
    if abs(chi_1 - 1) <= NEUTRAL:
        return "Gradients keep their size."
    return (
        f"The mean square of a gradient is multiplied by {chi_1:.4g} per layer, by "
        f"{chi_1**DEPTH:.2g} over {DEPTH} layers."
    )


def _deep(start: StableGain) -> str:
    if not start.holds:
        return start.reason
    plain = f"A plain stack of {DEPTH} layers, each of about 1000 units, wants the gain "
    sentences = [f"{plain}{start.gain:.4g}"]
    if start.bias_std:
        sentences[0] += f" and biases of standard deviation {start.bias_std:.4g}"
    if start.bias_std or abs(start.q - 1) > NEUTRAL:
        sentences.append(
            f"The variance held is {start.q:.4g}, and the first layer, which reads inputs of unit "
            f"size, wants the gain {start.first_gain:.4g}"
        )
    return ". ".join([*sentences, start.reason])


def _mirrors(odd: Mirrored) -> str:
    if odd.linear:
        return (
            "Mirrored weights see a straight line, so that with the gain "
            f"{1 / odd.initial_slope:.4g} a stack of them starts as a linear network, and any "
            "depth of signal passes."
        )
    return (
        f"Mirrored weights see an odd curve of slope {odd.initial_slope:.4g} at 0, for which the "
        f"forward gain is {gain(odd):.4g}."
    )


def _moments(known: Activation) -> Figures:
    found, of = moments(known), f"of {known}(z), z ~ N(0, 1)"
    return (
        (f"mean {of}", round(found.mean, 12) + 0.0),
        (f"variance {of}", found.variance),
        (f"second moment {of}", found.second),
        ("second moment of its slope, z ~ N(0, 1)", found.slope),
    )


def _depth_scale(known: Activation, forward: float) -> Figures:
    scale = correlation_depth_scale(known, 1.0, forward)
    return () if scale > DEEPEST else (("depth scale of correlations at the gain", scale),)


def _critical(known: Activation) -> Figures:
    figures = list[tuple[str, float]]()
    for point in critical_points(known):
        where = f"q = {point.q:.4g}" if point.q else "q near 0"
        figures.append((f"critical gain without biases, for {where}", point.sigma_w))
    point = critical_at(curve(known), 1.0)
    if point is not None and point.sigma_b:
        figures += [
            ("critical gain for q = 1", point.sigma_w),
            ("critical standard deviation of biases for q = 1", point.sigma_b),
            ("slope of the length map there", point.slope),
        ]
    neutral = half_stable(known)
    if neutral is not None:
        figures += [
            ("gain of the half-stable point", neutral.sigma_w),
            ("standard deviation of biases there", neutral.sigma_b),
            ("variance that it holds", neutral.q),
        ]
    return tuple(figures)
