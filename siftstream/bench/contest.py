"""Ways in turn, round after round, each between two runs of the raw limit that it is held against.

The speed of a shared or heated machine drifts within a minute; the mean of the limit just before and just
after a way drifts with it, so only the ratio to it is worth quoting.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from siftstream.bench.failed import BenchFailed
from siftstream.bench.statistics import Three
from siftstream.schemas.errors import SiftError

Figures = dict[str, Any]
Tell = Callable[[str], None]
Measure = Callable[[], Figures]  # figures with `samples_a_second`


@dataclass(frozen=True)
class Way:
    """Something to measure; `limit` names what it is held against."""

    part: str
    name: str
    limit: str
    measure: Measure


@dataclass
class Result:
    """What a way gave: figures of each round, and why it failed where it did."""

    way: Way
    rounds: list[Figures] = field(default_factory=list[Figures])
    failures: list[str] = field(default_factory=list[str])

    @property
    def ratio(self) -> Three | None:
        """Its speed as a share of the limit."""
        return Three.of([figures["ratio"] for figures in self.rounds]) if self.rounds else None

    @property
    def rate(self) -> Three | None:
        """Samples a second."""
        return Three.of([figures["samples_a_second"] for figures in self.rounds]) if self.rounds else None

    def as_json(self) -> Figures:
        """Return all of it as plain values."""
        return {
            "part": self.way.part, "name": self.way.name, "limit": self.way.limit,
            "ratio": asdict(self.ratio) if self.ratio else None,
            "samples_a_second": asdict(self.rate) if self.rate else None,
            "rounds": self.rounds, "failures": self.failures,
        }  # fmt: skip


def contest(
    ways: Sequence[Way], limits: Mapping[str, Measure], rounds: int, tell: Tell
) -> tuple[list[Result], dict[str, list[Figures]]]:
    """Measure all ways in every round; return what each gave, and every run of the limits.

    A way that fails is told and left out of that round.

    Raises:
        SiftError: a limit cannot be measured, so that nothing can be held against it.
    """
    results = [Result(way) for way in ways]
    taken: dict[str, list[Figures]] = {name: [] for name in limits}
    for number in range(rounds):
        before: dict[str, Figures] = {}
        for result in results:
            way = result.way
            if way.limit not in before:
                before[way.limit] = _limit(way.limit, limits, taken)
            figures = _measured(result, tell)
            if figures is None:
                continue
            after = _limit(way.limit, limits, taken)
            limit = (before[way.limit]["samples_a_second"] + after["samples_a_second"]) / 2
            result.rounds.append({**figures, "limit": limit, "ratio": figures["samples_a_second"] / limit})
            before[way.limit] = after
            tell(f"round {number + 1}: {way.name}: {result.rounds[-1]['ratio']:.2f} of {way.limit}")
    return results, taken


def _limit(name: str, limits: Mapping[str, Measure], taken: dict[str, list[Figures]]) -> Figures:
    figures = limits[name]()
    taken[name].append(figures)
    return figures


def _measured(result: Result, tell: Tell) -> Figures | None:
    try:
        return result.way.measure()
    except Exception as error:  # whatever it is: the other ways are to be measured all the same
        reason = said(error)
        result.failures.append(reason)
        tell(f"{result.way.name}: not measured: {reason}")
        return None


def said(error: BaseException) -> str:
    """Return what an error says: ours as it is, others with their type, a group by its first.

    >>> said(ExceptionGroup("tasks", [ValueError("no")]))
    'ValueError: no'
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) if isinstance(error, SiftError) else f"{type(error).__name__}: {error}"


def require(results: Sequence[Result]) -> None:
    """Refuse a contest in which nothing could be measured.

    Raises:
        BenchFailed: every way failed; the first reason.
    """
    if results and not any(result.rounds for result in results):
        raise BenchFailed(f"nothing could be measured; the first reason: {results[0].failures[0]}")
