"""The annotators' queue of one partition: samples chosen and not answered, and what each counted in."""

from collections.abc import Iterable

from siftstream.agents.select.budget.counter import Counter


class Queue:
    """Chosen samples that wait for an answer, oldest first; memory grows with them alone.

    >>> queue = Queue()
    >>> queue.add("b", 20.0, []); queue.add("a", 10.0, [])
    >>> queue.older_than(15.0), len(queue)
    (['a'], 2)
    """

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[float, tuple[Counter, ...]]] = {}
        self._newest = float("-inf")
        self._sorted = True

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, sample_id: str) -> bool:
        return sample_id in self._waiting

    def add(self, sample_id: str, chosen_at: float, counted: Iterable[Counter]) -> None:
        """Put a sample in, with the counters that it was spent from."""
        self._sorted = self._sorted and chosen_at >= self._newest
        self._newest = max(self._newest, chosen_at)
        self._waiting[sample_id] = (chosen_at, tuple(counted))

    def pop(self, sample_id: str) -> tuple[Counter, ...] | None:
        """Take a sample out; none where it does not wait."""
        waiting = self._waiting.pop(sample_id, None)
        return None if waiting is None else waiting[1]

    def names(self) -> list[str]:
        """The ids that wait."""
        return list(self._waiting)

    def older_than(self, time: float) -> list[str]:
        """Samples chosen before a time, oldest first; reads no more than those."""
        if not self._sorted:  # clocks of different owners
            self._waiting = dict(sorted(self._waiting.items(), key=lambda item: item[1][0]))
            self._sorted = True
        old: list[str] = []
        for sample_id, (chosen_at, _) in self._waiting.items():
            if chosen_at >= time:
                break
            old.append(sample_id)
        return old
