"""Whether drift was told since the last training run: then any later label is reason for the next."""

from collections.abc import Callable

from siftstream.schemas import Drift
from siftstream.streams.record import Record


class Urgency:
    """A fold over `drift`; a drift counts from when it was first told, however often that is repeated.

    Labels that were there before are of the stream as it was: a run on these alone would only put off the
    next one.

    >>> urgency = Urgency(since=100.0, labels=lambda: 30)
    >>> urgency.told(Drift(partition=0, seen=50, position=4, statistic="embedding", detector="adwin",
    ...     model_version="v1", before=1.0, after=9.0, detected_at=120.0))
    >>> urgency.wants()
    31
    >>> urgency.answered()
    >>> urgency.wants()
    """

    def __init__(self, since: float, labels: Callable[[], int]) -> None:
        """Args: when this trainer last published, in seconds since the epoch (0: never); gives the usable
        labels there are now.
        """
        self._since = since
        self._labels = labels
        self._known: set[bytes] = set()
        self._wanted: int | None = None

    def fold(self, record: Record) -> None:
        """Learn one record of the topic.

        Raises:
            SchemaError: not a `Drift`.
        """
        if record.value is not None:
            self.told(Drift.decode(record.value))

    def told(self, drift: Drift) -> None:
        """Hear of a drift; one found again after a crash has the key it had, and one before is old."""
        new = drift.key not in self._known and drift.detected_at > self._since
        self._known.add(drift.key)
        if new and self._wanted is None:
            self._wanted = self._labels() + 1

    def answered(self) -> None:
        """A run begins, with all labels there are."""
        self._wanted = None

    def wants(self) -> int | None:
        """Return how many usable labels will do for the next run, where drift makes it urgent."""
        return self._wanted
