"""What the broker keeps beside the group's commit: how to go on from the floor."""

from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from siftstream.schemas.errors import SchemaError

MOST_BYTES: Final = 4096  # what Kafka takes


class Memory(BaseModel):
    """The few things that the log alone does not give back.

    >>> Memory.decode(Memory(seen=40, done=3, head=17, rows=20).encode()).head
    17
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    seen: int = 0  # distinct samples before the floor
    watermark: float | None = None  # newest event time before the floor
    source: int = -1  # smallest offset in `features` that the window still needs
    done: int = -1  # the last round held
    counted_to: int = 0  # `seen` at the last round that was due by count
    periods: int | None = None  # the last period of event time whose end was handled
    head: int = -1  # the last offset added to the window
    rows: int = 0  # samples in the window, for status
    total: int = 0  # distinct samples so far, for status
    drift: dict[str, Any] | None = None  # what the watch for drift remembers

    def encode(self) -> str:
        """Return the commit metadata; without what the drift watch remembers where Kafka would refuse it."""
        text = self.model_dump_json(exclude_none=True)
        if len(text.encode()) > MOST_BYTES:
            text = self.model_copy(update={"drift": None}).model_dump_json(exclude_none=True)
        return text

    @classmethod
    def decode(cls, metadata: str) -> Self:
        """Read commit metadata; none yet is a fresh start.

        Raises:
            SchemaError: somebody else's metadata.
        """
        if not metadata:
            return cls()
        try:
            return cls.model_validate_json(metadata)
        except ValidationError as error:
            raise SchemaError(
                f"select's commit metadata {metadata[:80]!r} is not ours;"
                " does another program commit under this group? Reset the group or use another pipeline.name"
            ) from error
