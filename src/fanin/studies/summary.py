"""What a study measured, as figures: one row per scheme, one comparison per pair of schemes.

Schemes are judged by the loss at the last step, on the held-out part where there is one. All of
them meet the same repeats (start seed and data order), so they are compared within repeats: ranks,
wins and a sign test per pair, corrected for the number of pairs. `figures` works them out and
`verdict` puts them in words.
"""

from dataclasses import dataclass, replace

from fanin.reports.document import Document
from fanin.studies.comparison import LEVEL, Paired
from fanin.studies.components import Components
from fanin.studies.power import repeats_needed
from fanin.studies.statistics import Estimate


@dataclass(frozen=True)
class SchemeSummary:
    """How one scheme did.

    In a crossed design a repeat has many runs, which are not independent. Runs are counted as runs;
    what is compared or has an interval is the repeats, each by the median of its runs.

    Attributes:
        scheme: The scheme, printed in full.
        runs: Trainings counted.
        loss: Median over repeats of the final loss the study is judged by.
        loss_iqm: Mean of the middle half of the same.
        middle_half: Its quartiles over the runs: how much one run differs from the next.
        accuracy: Median of the final accuracy on the same part of the data; None for a regression.
        steps_to_target: Step by which half of the runs have met the target; inf when fewer did.
            None when there is no target.
        arrived: Runs that met the target.
        stuck: Runs that learnt nothing, see `statistics.stuck`; None where the loss of the best
            constant guess is not known.
        stuck_share: The same as a share, with interval.
        diverged: Runs whose loss was not finite at the end; they rank last.
        diverged_share: The same as a share, with interval.
        mean_rank: Mean over repeats of the rank among the schemes, 1 is best.
        best_rank: Best rank in any repeat.
        worst_rank: Worst rank in any repeat.
        firsts: Repeats in which no scheme was better; a tie for the first place counts.
        components: What makes the runs differ; None where the design is not crossed, or where there
            is nothing to split, see `components.components`.
    """

    scheme: str
    runs: int
    loss: Estimate
    loss_iqm: Estimate
    middle_half: tuple[float, float]
    accuracy: Estimate | None
    steps_to_target: Estimate | None
    arrived: int
    stuck: int | None
    stuck_share: Estimate | None
    diverged: int
    diverged_share: Estimate
    mean_rank: float
    best_rank: float
    worst_rank: float
    firsts: int
    components: Components | None


@dataclass(frozen=True)
class Comparison:
    """Two schemes; against a baseline the second is the baseline, else the first ranks better.

    Attributes:
        first: A scheme.
        second: Another.
        paired: The two over the same repeats.
        p_adjusted: The p-value after Holm's correction for all comparisons of the study.
        level: The p-value, before correction, that Holm's correction asks of this comparison: the
            level of the study over the number of those that are not real.
    """

    first: str
    second: str
    paired: Paired
    p_adjusted: float
    level: float

    @property
    def real(self) -> bool:
        """Whether the difference is more than luck, at the level of `comparison.LEVEL`."""
        return self.p_adjusted <= LEVEL

    @property
    def repeats_needed(self) -> float | None:
        """Repeats that would tell the two apart if the observed share of wins is the true one.

        See `power.repeats_needed`; None where they are told apart, or never differ.
        """
        counts = self.paired
        if self.real or counts.better + counts.worse == 0:
            return None
        return repeats_needed(counts.better, counts.worse, counts.ties, level=self.level)

    @property
    def ordered(self) -> "Comparison":
        """The same with the scheme that wins more repeats as the first."""
        if self.paired.better >= self.paired.worse:
            return self
        return replace(self, first=self.second, second=self.first, paired=self.paired.turned)


@dataclass(frozen=True)
class Summary:
    """The figures of a study and what follows from them; ``str()`` is the text for a person.

    Attributes:
        title: What was compared, one line.
        measure: What the schemes are judged by: ``"held-out loss"`` or ``"training loss"``.
        repeats: Repeats counted.
        orders: Data orders of each repeat; 1 where the design is not crossed.
        planned: Repeats the design asked for.
        steps: Steps after which the schemes are judged.
        planned_steps: Steps the design asked for.
        target: The loss that counts as arriving; None when there is none.
        target_given: Whether the target was asked for; if not, half of all runs end at or below it.
        constant_loss: Training loss of the best constant guess, None when not known.
        reference: The scheme named as the baseline, None when all pairs are compared.
        logarithm: Whether `SchemeSummary.components` split the logarithm of the loss, or the loss.
        fewest: Repeats needed before any difference can be called real; 0 for one scheme.
        falling: Whether half of the runs were still falling when the training ended.
        rows: One per scheme, by mean rank.
        comparisons: One per pair of schemes, by the loss; with a baseline, one per other scheme.
        by_accuracy: The same by the final accuracy, where better is higher; empty for a regression.
        by_spread: The same by the distance of a run's final loss from the median of its scheme,
            where better is nearer: which scheme depends less on its start and on the data's order.
        best: The first scheme and all that are not worse than it by more than luck; empty when
            there are too few repeats to tell anything apart, with a baseline, or one scheme only.
        outsiders: Repeats in which a scheme that is not in `best` came first.
    """

    title: str
    measure: str
    repeats: int
    orders: int
    planned: int
    steps: int
    planned_steps: int
    target: float | None
    target_given: bool
    constant_loss: float | None
    reference: str | None
    logarithm: bool
    fewest: int
    falling: bool
    rows: tuple[SchemeSummary, ...]
    comparisons: tuple[Comparison, ...]
    by_accuracy: tuple[Comparison, ...]
    by_spread: tuple[Comparison, ...]
    best: tuple[str, ...]
    outsiders: int

    @property
    def sentences(self) -> tuple[str, ...]:
        """The verdict in plain sentences, the most important first."""
        from fanin.studies.verdict import sentences

        return sentences(self)

    def document(self) -> Document:
        """Lay the summary out for a report: title, verdict, table, notes."""
        from fanin.studies.verdict import document

        return document(self)

    def __str__(self) -> str:
        from fanin.reports.terminal import plain

        return plain(self.document())
