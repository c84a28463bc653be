"""What a watch keeps of blocks gone by: a few dozen numbers, small enough for the commit metadata."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from siftstream.agents.select.drift.statistics import Place
from siftstream.schemas.errors import SchemaError


@dataclass
class Numbers:
    """One statistic's blocks: those of the reference, the newest since, and where a drift was last told."""

    reference: list[int] = field(default_factory=list[int])
    newest: list[int] = field(default_factory=list[int])
    told: int = -1  # value of `seen`; -1: not for this version

    def push(self, number: int | None, blocks: int, kept: int) -> None:
        """Take in a block: into the reference until it has `blocks`, then among the newest `kept`."""
        if number is None:
            return
        if len(self.reference) < blocks:
            self.reference.append(number)
        else:
            self.newest = [*self.newest, number][-kept:]


@dataclass
class Past:
    """Of the version at work: name, encoder and blocks by statistic; `seen` is the place of the last look.

    >>> Past.read(Past(seen=50, version="v1", told=50).plain()).version
    'v1'
    """

    seen: int = 0
    version: str = ""
    encoder: str = ""
    place: Place | None = None  # of the reference's embeddings
    confidence: Numbers = field(default_factory=Numbers)
    embedding: Numbers = field(default_factory=Numbers)
    told: int = -1  # place of the last drift of any statistic, -1: none for this version

    @property
    def statistics(self) -> dict[str, Numbers]:
        """The numbers by the statistic's name."""
        return {"confidence": self.confidence, "embedding": self.embedding}

    def plain(self) -> dict[str, Any]:
        """Return what `read` takes, as JSON has it."""
        place = self.place and [list(self.place.mean), list(self.place.deviation), self.place.rows]
        numbers = [[n.reference, n.newest, n.told] for n in (self.confidence, self.embedding)]
        return {
            "seen": self.seen, "version": self.version, "encoder": self.encoder, "place": place,
            "blocks": numbers, "told": self.told,
        }  # fmt: skip

    @classmethod
    def read(cls, memory: str | Mapping[str, Any] | None) -> Self:
        """Read what `plain` gave, or its JSON; nothing is a fresh start.

        Raises:
            SchemaError: it is something else.
        """
        if not memory:
            return cls()
        try:
            told: Any = json.loads(memory) if isinstance(memory, str) else memory
            place = told["place"]
            confidence, embedding = (Numbers(list(r), list(n), int(t)) for r, n, t in told["blocks"])
            return cls(
                int(told["seen"]), str(told["version"]), str(told["encoder"]),
                place and Place(tuple(place[0]), tuple(place[1]), int(place[2])),
                confidence, embedding, int(told["told"]),
            )  # fmt: skip
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise SchemaError(
                f"drift's part of select's commit metadata {str(memory)[:80]!r} is not ours;"
                " does another program commit under this group? Reset the group or use another pipeline.name"
            ) from error
