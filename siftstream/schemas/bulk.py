"""A `data-uris` record: one URI as a JSON object, or many as a JSON array of such objects."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from siftstream.schemas.errors import SchemaError
from siftstream.schemas.events import DataUri

_MANY: Final = TypeAdapter(list[DataUri])
_BLANK: Final = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An element that is no `DataUri`, as it stood there, and why."""

    value: bytes | None
    error: SchemaError


def is_bulk(value: bytes | None) -> bool:
    """Tell whether a record holds a JSON array."""
    return value is not None and (value[:1] == b"[" or value[:32].lstrip(_BLANK)[:1] == b"[")


def encode_many(events: Sequence[DataUri]) -> bytes:
    """Return one record's value for many events.

    >>> encode_many([DataUri(uri="s3://b/1.jpg", sample_id="1", event_time=0)])
    b'[{"schema_version":1,"uri":"s3://b/1.jpg","sample_id":"1","event_time":0.0,"metadata":{}}]'
    """
    return b"[" + b",".join(event.encode() for event in events) + b"]"


def decode_many(value: bytes | None) -> Sequence[DataUri | Unreadable]:
    """Read a record of one or many; an element at fault stands alone, the others are good.

    >>> [type(found).__name__ for found in decode_many(b'[{"uri": "file:///a"}, {"url": "file:///b"}]')]
    ['DataUri', 'Unreadable']
    """
    if value is None or not is_bulk(value):
        return [_one(value)]
    try:
        found = _MANY.validate_json(value)
    except ValidationError:
        return _each(value)
    return found or [Unreadable(value, SchemaError("data-uris: an empty array where URIs belong"))]


def _one(value: bytes | None) -> DataUri | Unreadable:
    try:
        return DataUri.decode(value)
    except SchemaError as error:
        return Unreadable(value, error)


def _each(value: bytes) -> list[DataUri | Unreadable]:
    """Read an array element by element; what is no JSON is at fault as a whole."""
    try:
        elements: list[Any] = json.loads(value)
    except (ValueError, RecursionError) as error:
        return [Unreadable(value, SchemaError(f"data-uris: not a readable JSON array: {error}"))]
    return [_one(json.dumps(element).encode()) for element in elements]
