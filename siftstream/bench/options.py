"""What a run of the benchmark is told."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from siftstream.bench.failed import BenchFailed

DEFAULT_PARTS = ("limits", "line", "others")
CONTEST = (*DEFAULT_PARTS, "batch", "sources", "workers", "growth")  # measured in turn, round after round
ALONE = ("latency", "soak", "swap")  # once; `siftstream.bench.PART` has `PART(bench)` and `table(figures)`
PARTS = (*CONTEST, *ALONE)
DEFAULT_MODELS = ("resnet18", "resnet18-224")


@dataclass(frozen=True)
class Options:
    """What to measure, on what, and where the figures go."""

    data: Path | None = None
    count: int = 8000
    rounds: int = 3
    parts: tuple[str, ...] = DEFAULT_PARTS
    models: tuple[str, ...] = DEFAULT_MODELS
    int8: bool = False
    soak: int = 1_000_000
    out: Path | None = None
    picture: Path | None = None
    environments: Path = field(default_factory=lambda: Path("~/.cache/siftstream/bench").expanduser())


def words(value: str, known: Sequence[str], what: str) -> tuple[str, ...]:
    """Read words with commas between them.

    >>> words("line, limits", PARTS, "part")
    ('line', 'limits')

    Raises:
        BenchFailed: a word that is not known, or none at all.
    """
    given = tuple(word.strip() for word in value.split(",") if word.strip())
    wrong = next((word for word in given if word not in known), None)
    if wrong is not None or not given:
        raise BenchFailed(f"there is no {what} {wrong or 'named'!r}; choose among {', '.join(known)}")
    return given
