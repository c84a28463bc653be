"""The threads that read local files, decode and transform; they hand results to the event loop in bunches."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from time import monotonic
from typing import Any, Final, Generic, TypeVar

MANY: Final = 64  # results that wake the loop though there is more to do
LOOK_EVERY_S: Final = 0.002
SHORT_S: Final = 0.002  # a job that takes longer on average, waits included, is worth a thread of its own
LONG_S: Final = 0.05  # one job at which all threads hang that long gets another beside them
SPARE: Final = 32  # threads beyond the crew, for those that hang in a read that never ends
J = TypeVar("J")


class _Place:
    """What one thread does now; `job` is None between two."""

    __slots__ = ("given_up", "job", "since")

    def __init__(self) -> None:
        self.job: Any = None
        self.since = 0.0
        self.given_up = False


class Crew(Generic[J]):
    """Does `work` on jobs in a fixed number of threads, each taking the next as soon as it is free.

    A future and a wake-up of the event loop for each job would cost more than decoding a small image. So
    threads wake the loop when many results are ready, or when nothing is left to do and it has not looked
    just now; it looks by itself every few milliseconds. Short jobs are left to one thread, because several
    would do little but hand the GIL to each other; while jobs are long, or one is, all threads work. A job
    that hangs blocks nobody else: `give_up` answers for it and puts another thread in its place.
    """

    def __init__(
        self, threads: int, work: Callable[[J], Any], done: Callable[[list[tuple[J, Any]]], None]
    ) -> None:
        """Args: how many; what a thread does; what hears, in the loop, of jobs with result or exception."""
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(threads + SPARE, thread_name_prefix="crew")
        self._work, self._done = work, done
        self._jobs: deque[J] = deque()
        self._results: deque[tuple[J, Any]] = deque()
        self._lock = Lock()  # guards _free and _places; who finds no job gives its place back under it
        self._threads = self._free = threads
        self._pace = 0.0  # seconds that a job takes, a moving average
        self._places: set[_Place] = set()
        self._woken = self._closed = False
        self._heard = 0.0  # when the loop last looked
        self._looking: asyncio.TimerHandle | None = None

    def submit(self, jobs: Iterable[J], *, first: bool = False) -> None:
        """Let threads work on these, `first` before all that wait."""
        if first:
            self._jobs.extendleft(jobs)
        else:
            self._jobs.extend(jobs)
        wanted = self._threads if self._pace > SHORT_S else 1
        while self._jobs and self._threads - self._free < wanted:
            self._start()
        if self._looking is None and self._jobs:
            self._looking = self._loop.call_later(LOOK_EVERY_S, self._look)

    def _start(self) -> None:
        with self._lock:
            self._free -= 1
        self._pool.submit(self._drain)

    def give_up(self, after: float, answer: Callable[[], Exception]) -> None:
        """Answer for jobs that have run longer than `after` seconds; what they return later is dropped."""
        self._hear()
        limit = monotonic() - after
        late: list[tuple[J, Any]] = []
        with self._lock:
            for place in list(self._places):
                job = place.job
                if job is not None and place.since < limit:
                    place.given_up = True
                    self._places.discard(place)
                    self._free += 1
                    late.append((job, answer()))
        if late:
            self._done(late)
            self.submit(())

    def close(self) -> None:
        """Drop jobs and results; the threads end with what they are at."""
        self._closed = True
        self._jobs.clear()
        if self._looking is not None:
            self._looking.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _drain(self) -> None:
        place = _Place()
        with self._lock:
            self._places.add(place)
        while True:
            try:
                job = self._jobs.popleft()
            except IndexError:
                if self._leave(place):
                    return
                continue
            place.since = monotonic()
            place.job = job
            try:
                result = self._work(job)
            except Exception as error:
                result = error
            now = monotonic()
            self._pace += 0.1 * (now - place.since - self._pace)
            with self._lock:
                place.job = None
                if place.given_up:  # another thread is in this one's place
                    return
            self._tell(job, result, now)
            if len(self._places) > 1 and self._pace < SHORT_S and self._leave(place, spare=True):
                return

    def _leave(self, place: _Place, *, spare: bool = False) -> bool:
        """Give the place back where there is no job, or (`spare`) where another thread gets on too."""
        lively = monotonic() - LONG_S
        with self._lock:
            if spare:
                stay = all(other is place or other.since < lively for other in self._places)
            else:
                stay = bool(self._jobs)  # submitted in between, by one who saw no free place
            if stay:
                return False
            self._places.discard(place)
            self._free += 1
            return True

    def _tell(self, job: J, result: Any, now: float) -> None:
        self._results.append((job, result))
        soon = len(self._results) >= MANY or (not self._jobs and now - self._heard > LOOK_EVERY_S)
        if soon and not self._woken:
            self._woken = True
            try:
                self._loop.call_soon_threadsafe(self._hear)
            except RuntimeError:  # the loop is closed: nobody hears any more
                return

    def _look(self) -> None:
        self._looking = None
        self._hear()
        if self._closed:
            return
        if self._jobs and self._free and self._all_are_long():
            self._start()
        if self._jobs or self._free < self._threads or self._results:
            self._looking = self._loop.call_later(LOOK_EVERY_S, self._look)

    def _all_are_long(self) -> bool:
        limit = monotonic() - LONG_S
        with self._lock:
            return len(self._places) == self._threads - self._free and all(
                place.job is not None and place.since < limit for place in self._places
            )

    def _hear(self) -> None:
        self._woken = False  # first, so that what comes from here on wakes the loop again
        self._heard = monotonic()
        bunch: list[tuple[J, Any]] = []
        while self._results:
            bunch.append(self._results.popleft())
        if bunch and not self._closed:
            self._done(bunch)
