"""What may be done with a row of the window."""

from enum import IntEnum


class State(IntEnum):
    """A row's state, one byte; free and recalled ones may be chosen, selected and labelled ones not.

    >>> [state.name for state in State if state.choosable]
    ['FREE', 'RECALLED']
    """

    EMPTY = 0
    FREE = 1
    SELECTED = 2
    LABELLED = 3
    RECALLED = 4

    @property
    def choosable(self) -> bool:
        """Whether a round may choose the row."""
        return self in (State.FREE, State.RECALLED)
