"""What every source gives: entries, one a sample, and what to do with a line that gives none."""

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Final, NamedTuple, NoReturn, Protocol

from pydantic import ValidationError

from siftstream.schemas import DataUri
from siftstream.schemas.errors import SchemaError, SiftError

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
LAST_CHARACTERS: Final = 8  # of a URI: roughly the number in its name and the suffix

Bad = Callable[[SiftError], None]
"""Hears of each line, file or folder that gives no sample: raises to stop there, returns to go on."""


class Entry(NamedTuple):
    """One sample to push: `where` says where it was found, as in `list.csv, line 3: `."""

    uri: str
    sample_id: str = ""
    event_time: float | None = None
    metadata: Mapping[str, str] = NOTHING
    where: str = ""


class Source(Protocol):
    """Something that was named on the command line and holds samples."""

    def entries(self, bad: Bad) -> Iterator[Entry]:
        """Yield an entry a sample; never hold them all."""
        ...

    def tally(self) -> Iterable[object] | None:
        """Return as many things as there are samples, cheaply; none where that cannot be known before."""
        ...


def refuse(error: SiftError) -> NoReturn:
    """The `Bad` that stops at the first."""
    raise error


def mark_of(entry: Entry) -> bytes:
    """Return 16 bytes that name this entry: the same URI, id, metadata and time have the same mark.

    Twelve bytes are a hash of all of it. Four come before them, of the URI without its last characters, so
    that the marks of `img_000001.png` and its neighbours lie beside each other: a set of marks on disk is
    then written page after page (2.5 us a mark among ten million, against 20 us with a hash alone).

    >>> mark_of(Entry("s3://cats/1.png")) == mark_of(Entry("s3://cats/1.png", where="list, line 1: "))
    True
    >>> mark_of(Entry("s3://cats/1.png")) == mark_of(Entry("s3://cats/1.png", metadata={"camera": "3"}))
    False
    """
    words = f"{entry.sample_id}\0{entry.uri}"
    if entry.metadata or entry.event_time is not None:
        words += "\0" + json.dumps([entry.event_time, sorted(entry.metadata.items())])
    near = zlib.crc32(entry.uri[:-LAST_CHARACTERS].encode("utf-8", "surrogatepass")).to_bytes(4, "big")
    return near + blake2b(words.encode("utf-8", "surrogatepass"), digest_size=12).digest()


def event_of(entry: Entry) -> DataUri:
    """Return the event of an entry.

    Raises:
        SchemaError: which field cannot be one of an event; not where the entry stands.
    """
    try:
        if entry.event_time is None:
            return DataUri(uri=entry.uri, sample_id=entry.sample_id, metadata=dict(entry.metadata))
        return DataUri(
            uri=entry.uri, sample_id=entry.sample_id,
            event_time=entry.event_time, metadata=dict(entry.metadata),
        )  # fmt: skip
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise SchemaError(f"{field}: {first['msg']}") from None
    except UnicodeEncodeError:
        raise SchemaError("not UTF-8") from None


def shown(uri: str) -> str:
    """Return a URI as messages may show it."""
    # its room brings the loaders' libraries, for which a command without errors need not wait
    from siftstream.agents.fetch.loaders.redact import redact

    return redact(uri)
