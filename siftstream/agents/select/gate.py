"""Whether a round may choose now: not while asking is paused nor, in synchronous mode, out of turn."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from siftstream.agents.asking import Asking
from siftstream.agents.select.rounds import May
from siftstream.agents.select.shelf import Shelf
from siftstream.agents.select.turns import Turn
from siftstream.schemas import Action, Command, Trigger

Offset = Callable[[int], int]


@dataclass(frozen=True)
class Trained:
    """What turns go by in synchronous mode.

    `labelled_to`: of a partition, the offset in `labelled` after its last new label; `covered`: the one
    before which a run that is over knew all; `versions`: how many there are; `trainable`: whether there are
    labels enough for the first run.
    """

    labelled_to: Offset
    covered: Offset
    versions: Callable[[], int]
    trainable: Callable[[], bool]


class Gate:
    """Keeps rounds from choosing while asking is paused and, in synchronous mode, out of turn.

    A round that falls due while asking is paused is over, as one with a spent budget; queries of a person are
    no rounds and are answered all the same.
    """

    def __init__(
        self, asking: Asking, line: str, *, audit_while_paused: bool, trained: Trained | None = None
    ) -> None:
        """Args: the last word about asking; the line; a setting; what turns go by, if there are turns."""
        self.asking = asking
        self._line, self._audit_while_paused, self._trained = line, audit_while_paused, trained

    def may(self, shelf: Shelf, trigger: Trigger) -> May:
        """Return what a round of this partition may choose."""
        if self.asking.paused:
            audits = self._audit_while_paused and trigger is not Trigger.DEMAND  # it would fill the queue
            return May.AUDIT if audits else May.NOTHING
        return May.ALL if self._turn(shelf) is Turn.SELECT else May.LATER

    def kept_back(self, shelf: Shelf) -> Trigger | None:
        """Return what made a round due that waits for its turn, if that has come."""
        trigger = shelf.kept_back if self._trained is not None else None
        return trigger if trigger is not None and self.may(shelf, trigger) is May.ALL else None

    def request(self, shelf: Shelf) -> Command | None:
        """Return the training that this partition waits for, once; nothing in asynchronous mode."""
        if self._trained is None or self._turn(shelf) is not Turn.TRAIN:
            return None
        versions, wanted = self._trained.versions(), shelf.turns.wanted
        if not shelf.turns.asks(versions):
            return None
        return Command(
            line=self._line, action=Action.TRAIN, by="select", needs={shelf.partition: wanted or 0},
            command_id=f"select-{shelf.partition}-{wanted}-{versions}",
            why=f"synchronous mode: partition {shelf.partition} waits for a run that knows its answers",
        )  # fmt: skip

    def _turn(self, shelf: Shelf) -> Turn:
        if self._trained is None:
            return Turn.SELECT
        labelled_to = self._trained.labelled_to(shelf.partition)
        return shelf.turns.now(
            waiting=shelf.budget.waiting, labelled_to=labelled_to,
            covered=self._trained.covered(shelf.partition) if self._trained.trainable() else inf,
        )  # fmt: skip
