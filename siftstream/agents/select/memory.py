"""What the broker keeps beside the group's commit: how to go on from the floor."""

import json
from dataclasses import asdict, dataclass
from typing import Self

from siftstream.schemas.errors import SchemaError


@dataclass(frozen=True)
class Memory:
    """The few counters that the log alone does not give back.

    >>> Memory.decode(Memory(seen=40, done=3, head=17, rows=20).encode())
    Memory(seen=40, done=3, head=17, rows=20)
    """

    seen: int = 0  # distinct samples before the floor
    done: int = -1  # the last round held
    head: int = -1  # the last offset added to the window
    rows: int = 0  # samples in the window, for status

    def encode(self) -> str:
        """Return the commit metadata (well under Kafka's 4096 bytes)."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def decode(cls, metadata: str) -> Self:
        """Read commit metadata; none yet is a fresh start.

        Raises:
            SchemaError: somebody else's metadata.
        """
        if not metadata:
            return cls()
        try:
            return cls(**{key: int(value) for key, value in json.loads(metadata).items()})
        except (ValueError, TypeError, AttributeError) as error:
            raise SchemaError(
                f"select's commit metadata {metadata[:80]!r} is not ours;"
                " does another program commit under this group? Reset the group or use another pipeline.name"
            ) from error
