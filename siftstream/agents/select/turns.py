"""Synchronous mode: whose turn it is on a partition. It exists to be compared with."""

from enum import StrEnum


class Turn(StrEnum):
    """Who goes on; the others wait."""

    SELECT = "select"
    LABEL = "label"
    TRAIN = "train"


class Turns:
    """One partition's turns: a round, an answer to each of its samples, a run that knows these answers.

    What a run must know is settled when the last answer comes, so labels of samples that nobody asked for put
    nothing off.

    >>> turns = Turns()
    >>> turns.now(waiting=0, labelled_to=0, covered=0)
    <Turn.SELECT: 'select'>
    >>> turns.now(waiting=2, labelled_to=5, covered=0)
    <Turn.LABEL: 'label'>
    >>> turns.now(waiting=0, labelled_to=7, covered=5), turns.wanted
    (<Turn.TRAIN: 'train'>, 7)
    >>> turns.now(waiting=0, labelled_to=9, covered=7)
    <Turn.SELECT: 'select'>
    """

    def __init__(self) -> None:
        self.wanted: int | None = None  # the offset in `labelled` before which a run must know all
        self._asked: tuple[int, int] | None = None

    def now(self, *, waiting: int, labelled_to: int, covered: float) -> Turn:
        """Return whose turn it is.

        Args:
            waiting: Samples that were chosen and are neither answered nor recalled.
            labelled_to: The offset in `labelled` after the last new label.
            covered: The offset before which some run that is over knew all.
        """
        if waiting:
            self.wanted = None
            return Turn.LABEL
        if self.wanted is None:
            self.wanted = labelled_to
        return Turn.SELECT if covered >= self.wanted else Turn.TRAIN

    def asks(self, versions: int) -> bool:
        """Tell once that a run is wanted, and again for each version that came and knew too little."""
        asked = (self.wanted or 0, versions)
        new, self._asked = asked != self._asked, asked
        return new
