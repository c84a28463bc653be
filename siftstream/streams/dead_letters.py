"""Where a record goes that cannot be used: its own bytes, key and headers, and why."""

import time

from siftstream.schemas.errors import SiftError
from siftstream.streams.record import Outgoing, Record

PREFIX = "siftstream.error."
TOPIC = "dead-letters"
MAX_MESSAGE = 1000  # characters


def dead_letter(record: Record, error: BaseException, stage: str) -> Outgoing:
    """Return the dead letter of a record: as it was, with `siftstream.error.*` headers.

    >>> letter = dead_letter(Record("labels", 0, 7, b"k", b"junk"), SiftError("not JSON"), "consensus")
    >>> letter.value, dict(letter.headers)["siftstream.error.message"]
    (b'junk', b'not JSON')
    """
    facts = {
        "stage": stage,
        "type": type(error).__name__,
        "message": (str(error) if isinstance(error, SiftError) else repr(error))[:MAX_MESSAGE],
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "attempts": attempts_of(record) + 1,
        "at": f"{time.time():.3f}",
    }
    kept = tuple((name, value) for name, value in record.headers if not name.startswith(PREFIX))
    told = tuple((PREFIX + name, str(value).encode()) for name, value in facts.items())
    return Outgoing(TOPIC, record.value, record.key, record.partition, (*kept, *told))


def attempts_of(record: Record) -> int:
    """How often a record has died already; a header that somebody else wrote counts as none."""
    told = record.header(f"{PREFIX}attempts") or ""
    return int(told) if told.isascii() and told.isdigit() else 0


def as_it_was(letter: Record) -> tuple[str, Outgoing]:
    """Return the topic (with prefix) a dead letter came from, and the record to send there again."""
    topic = letter.header(f"{PREFIX}topic") or ""
    keep = tuple(pair for pair in letter.headers if not pair[0].startswith(PREFIX))
    again = ((f"{PREFIX}attempts", str(attempts_of(letter)).encode()),)
    return topic, Outgoing(topic, letter.value, letter.key, letter.partition, (*keep, *again))
