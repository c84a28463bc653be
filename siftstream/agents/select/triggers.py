"""When a round is due: at exact places of the log, by count and event time, or by the clock."""

from math import floor, inf

from siftstream.agents.select.settings import TriggerSettings
from siftstream.schemas import Trigger


class Triggers:
    """The rounds of one partition that come by themselves; each place is handed out once.

    A place by count is `seen`, a multiple of `every`; a place by event time is the sample that moved the
    newest event time over a multiple of `seconds`. Both are the same in every life.

    >>> triggers = Triggers(TriggerSettings(every=10, seconds=60), counted_to=10, periods=2)
    >>> triggers.until_count(seen=14), triggers.until_time()
    (6, 180.0)
    >>> triggers.due(seen=10, event_time=100.0), triggers.due(seen=20, event_time=100.0)
    ([], [<Trigger.COUNT: 'count'>])
    >>> triggers.due(seen=21, event_time=200.0), triggers.periods
    ([<Trigger.TIME: 'time'>], 3)
    """

    def __init__(self, settings: TriggerSettings, *, counted_to: int = 0, periods: int | None = None) -> None:
        """Args: when; `seen` of the last round by count; the last period of event time whose end was handled
        (none: no sample yet).
        """
        self._settings = settings
        self.counted_to = counted_to
        self.periods = periods
        self._ticked: int | None = None

    @property
    def _by_event_time(self) -> float | None:
        return self._settings.seconds if self._settings.clock == "event" else None

    def until_count(self, seen: int) -> int:
        """New samples until the next round by count; many where none will come."""
        every = self._settings.every
        return every - seen % every if every is not None else 1 << 30

    def until_time(self) -> float:
        """The event time at which the next round by event time is due."""
        seconds = self._by_event_time
        if seconds is None:
            return inf
        return (self.periods + 1) * seconds if self.periods is not None else -inf

    def due(self, *, seen: int, event_time: float) -> list[Trigger]:
        """Return what makes a round due at this place of the log; each once."""
        found: list[Trigger] = []
        every, seconds = self._settings.every, self._by_event_time
        if every is not None and seen % every == 0 and seen > self.counted_to:
            self.counted_to = seen
            found.append(Trigger.COUNT)
        if seconds is not None and event_time > -inf:
            period = floor(event_time / seconds)
            if self.periods is not None and period > self.periods:
                found.append(Trigger.TIME)
            self.periods = max(period, self.periods if self.periods is not None else period)
        return found

    def ticks(self, now: float) -> bool:
        """Tell whether a round is due by the clock; the first call only begins to count."""
        seconds = self._settings.seconds
        if seconds is None or self._settings.clock == "event":
            return False
        before, self._ticked = self._ticked, floor(now / seconds)
        return before is not None and self._ticked > before
