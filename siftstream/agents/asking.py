"""Whether annotators are asked: the last word about it in `commands`."""

from typing import Final

from siftstream.schemas import Action, Command
from siftstream.streams.record import Record

PERSON: Final = "person"


class Asking:
    """A fold over `commands` of one line; nobody said anything yet: samples are asked for.

    >>> asking = Asking("main")
    >>> asking.hear(Command(line="main", action=Action.PAUSE, by="label_limit", why="500 of 500 labels"))
    >>> asking.paused, asking.by_person
    (True, False)
    >>> asking.hear(Command(line="main", action=Action.RESUME))
    >>> asking.paused
    False
    """

    def __init__(self, line: str) -> None:
        """Args: the line whose commands count."""
        self._line = line
        self.said: Command | None = None

    def fold(self, record: Record) -> None:
        """Learn one record of the topic.

        Raises:
            SchemaError: not a `Command`.
        """
        if record.value is not None:
            self.hear(Command.decode(record.value))

    def hear(self, command: Command) -> None:
        """Learn one command; those about training and of other lines say nothing of asking."""
        if command.line == self._line and command.action is not Action.TRAIN:
            self.said = command

    @property
    def paused(self) -> bool:
        """Whether nobody is asked now."""
        return self.said is not None and self.said.action is Action.PAUSE

    @property
    def by_person(self) -> bool:
        """Whether the last word is a person's: no rule and no drift takes that back by itself."""
        return self.said is not None and self.said.by == PERSON

    @property
    def resumed_at(self) -> float:
        """When asking was resumed, if that was the last word; seconds since the epoch, else 0."""
        resumed = self.said is not None and self.said.action is Action.RESUME
        return self.said.told_at if self.said is not None and resumed else 0.0
