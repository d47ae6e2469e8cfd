"""Which of many trainings ended in the same minimum.

Weights cannot be compared: hidden units may change places and signs, and a network is still the
same function. So two ends are one minimum when their losses are close and the functions give
close answers on the same examples, whatever the weights are.
"""

import numpy as np
from numpy.typing import NDArray

from fanin.studies.design import Loss
from fanin.studies.statistics import STUCK_MARGIN

LOSS_CLOSE = STUCK_MARGIN
"""Losses of one minimum differ by at most this share of the loss of the best constant guess."""

FUNCTION_CLOSE = 0.2
"""Answers of one minimum differ by at most this share of the spread of the target: its square, 4 %,
is the share of the target's variance that lies between the two functions."""


def predictions(outputs: NDArray[np.float64], loss: Loss) -> NDArray[np.float64]:
    """Turn what networks return into what they predict.

    A logit grows without end while the training goes on; the probability that it means settles.

    Args:
        outputs: Shape (..., output).
        loss: What was minimised.

    Returns:
        Probabilities, or with ``"mse"`` the outputs as they are; same shape.

    Example:
        >>> predictions(np.array([[0.0], [30.0]]), "bce").round(3).tolist()
        [[0.5], [1.0]]
    """
    from scipy.special import expit, softmax

    if loss == "bce":
        return np.asarray(expit(outputs), np.float64)
    return np.asarray(softmax(outputs, axis=-1), np.float64) if loss != "mse" else outputs


def same_minimum(
    losses: NDArray[np.float64],
    answers: NDArray[np.float64],
    *,
    baseline: float,
    spread: float,
) -> NDArray[np.int64]:
    """Group trainings by the minimum that they ended in.

    The distance of two trainings is the larger of two ratios: difference in loss over
    `LOSS_CLOSE` times the baseline, and root mean square difference in their answers over
    `FUNCTION_CLOSE` times the spread. Complete linkage is cut at 1, so that within a group *every*
    two trainings are that close.

    Args:
        losses: Final loss of each training, finite, shape (training,).
        answers: What each predicts on the same examples, shape (training, example, output).
        baseline: Loss of the best constant guess.
        spread: Standard deviation of the target.

    Returns:
        The group of each training, shape (training,); group 0 holds the lowest loss, and so on.

    Example:
        >>> ends = np.array([0.01, 0.70, 0.012])
        >>> answers = np.array([[[0.0], [1.0]], [[0.5], [0.5]], [[0.02], [0.98]]])
        >>> same_minimum(ends, answers, baseline=0.69, spread=0.5).tolist()
        [0, 1, 0]

    References:
        Complete linkage: Everitt, Landau, Leese and Stahl (2011), Cluster analysis, 5th edition,
        section 4.2.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import pdist

    if losses.size < 2:
        return np.zeros(losses.size, np.int64)
    flat = answers.reshape(len(answers), -1)
    apart = pdist(flat) / np.sqrt(flat.shape[1]) / (FUNCTION_CLOSE * spread)
    above = pdist(losses[:, None]) / (LOSS_CLOSE * baseline)
    groups = fcluster(linkage(np.maximum(apart, above), "complete"), 1.0, "distance")
    lowest = {group: losses[groups == group].min() for group in set(groups.tolist())}
    ranked = sorted(lowest, key=lambda group: float(lowest[group]))
    return np.array([ranked.index(group) for group in groups.tolist()], np.int64)
