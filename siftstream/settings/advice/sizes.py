"""The numbers of the advice: samples a round, samples between rounds, samples in a window."""

from math import floor, log10
from typing import Final

from siftstream.settings.advice.questions import Answers

AT_A_TIME: Final = 20  # where labels are dear
LEVEL: Final = 600  # samples in a window from which on it was level with the whole pool
TO_EACH: Final = 50  # samples in the window to each one chosen
TO_EACH_WHERE_IT_DRIFTS: Final = 15
MOST: Final = 100_000  # samples in a window, for memory
ROUNDS: Final = 2  # of a partition in a pool, at least: partitions are not of one size
WORKING_DAYS: Final = 20  # labels of so many days are spread over a pool, where no total is said


def per_round(answers: Answers) -> int:
    """Return samples a round."""
    return min(answers.batch, AT_A_TIME) if answers.cost == "expensive" else answers.batch


def every(answers: Answers) -> int:
    """Return new samples between two rounds, so that as many are chosen as people can label.

    >>> every(Answers(samples=100_000, labels_a_day=500, batch=20))
    4000
    """
    size = answers.samples * per_round(answers)
    if answers.source == "stream":
        return rounded(max(1.0, size / answers.labels_a_day))
    labels = answers.total or answers.labels_a_day * WORKING_DAYS
    least = answers.samples / answers.partitions / ROUNDS  # a pool's rounds end with its last sample
    return rounded(max(1.0, min(size / labels, least)))


def window(answers: Answers) -> int:
    """Return samples in a partition's window.

    >>> window(Answers(samples=100_000, labels_a_day=500, batch=20))
    4000
    >>> window(Answers(samples=2_000, labels_a_day=500, batch=20, drift=True))
    600
    """
    if answers.source == "pool":
        return max(per_round(answers), min(answers.samples, MOST))
    to_each = TO_EACH_WHERE_IT_DRIFTS if answers.drift else TO_EACH
    return min(MOST, max(LEVEL, rounded(to_each * per_round(answers)), every(answers)))


def rounded(number: float) -> int:
    """Return a number in two digits, so that it reads as the estimate it is.

    >>> rounded(38_461.5), rounded(7.4)
    (38000, 7)
    """
    digits = max(0, floor(log10(number)) - 1)
    return round(number / 10**digits) * 10**digits
