"""What may be pushed: URIs, paths, events and mappings, each made the event that it means."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import TypeVar, cast

from siftstream.connectors.sources.base import Entry, event_of, refuse
from siftstream.connectors.sources.fields import fields_of
from siftstream.connectors.sources.named import Single, source_of
from siftstream.schemas import DataUri
from siftstream.schemas.errors import LoadError, SchemaError

T = TypeVar("T")
Item = str | DataUri | Mapping[str, object]
Metadata = Mapping[str, str] | Sequence[Mapping[str, str]]


def events_of(
    data: Item | Iterable[Item],
    metadata: Metadata | None = None,
    event_times: Sequence[float] | None = None,
    ids: Sequence[str] | None = None,
) -> Iterator[DataUri]:
    """Yield the event of each item; a folder, a prefix or a pattern gives one a file.

    Args:
        data: URIs, paths, `DataUri`s, or mappings with `uri` or `path` and perhaps `sample_id`,
            `event_time` and `metadata` (other keys are metadata too); or one of these.
        metadata: Of all, or one mapping an item; an item's own wins.
        event_times: Seconds since the epoch, one an item.
        ids: Sample ids, one an item.

    Raises:
        SchemaError: an item that makes no event (the message says which), or not one value an item.
        LoadError: no such file.

    >>> [event.uri for event in events_of(["s3://cats/1.png", {"uri": "s3://cats/2.png", "camera": 3}])]
    ['s3://cats/1.png', 's3://cats/2.png']
    """
    one = isinstance(data, str | DataUri | Mapping)
    items = [cast("Item", data)] if one else list(data)
    notes = repeat(metadata) if metadata is None or isinstance(metadata, Mapping) else _each(metadata, items)
    columns = zip(items, notes, _each(event_times, items), _each(ids, items), strict=False)
    for number, (item, note, moment, sample_id) in enumerate(columns, start=1):
        try:
            for entry in _entries(item, sample_id, moment):
                yield event_of(entry._replace(metadata={**(note or {}), **entry.metadata}))
        except (SchemaError, LoadError) as error:
            raise type(error)(f"item {number}: {error}") from error


def _entries(item: Item, sample_id: str | None, moment: float | None) -> Iterator[Entry]:
    if isinstance(item, DataUri):
        yield Entry(item.uri, sample_id or item.sample_id, moment or item.event_time, item.metadata)
        return
    fields = fields_of(item if isinstance(item, Mapping) else {"uri": item})
    source = source_of(fields.word)
    name = sample_id or fields.sample_id
    if name and not isinstance(source, Single):
        raise SchemaError("a sample id names one file or URI, not a folder, prefix or pattern")
    for entry in source.entries(refuse):
        yield Entry(entry.uri, name, moment if moment is not None else fields.event_time, fields.metadata)


def _each(values: Sequence[T] | None, items: Sequence[Item]) -> Iterable[T | None]:
    if values is None:
        return repeat(None)
    if len(values) != len(items):
        raise SchemaError(f"{len(values)} values for {len(items)} items: give one an item")
    return values
