"""The fields of a line in a list: which one is the URI, the id, the time, and what is metadata."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from siftstream.schemas.errors import SchemaError

URI_NAMES = ("uri", "path")
NAMES = (*URI_NAMES, "sample_id", "event_time", "metadata")


class Fields(NamedTuple):
    """What a line says: `word` is a URI, a path, a folder or a prefix."""

    word: str
    sample_id: str = ""
    event_time: float | None = None
    metadata: Mapping[str, str] = {}


def fields_of(values: Mapping[str, Any]) -> Fields:
    """Return the fields of a row or JSON object; keys that have no meaning of their own are metadata.

    Raises:
        SchemaError: no URI and no path, or a value that cannot be what its key says.

    >>> fields_of({"path": "1.png", "camera": 3, "event_time": "2025-01-01T00:00:00Z"})
    Fields(word='1.png', sample_id='', event_time=1735689600.0, metadata={'camera': '3'})
    """
    word = next((values[name] for name in URI_NAMES if values.get(name)), None)
    if not isinstance(word, str):
        raise SchemaError("no text under `uri` or `path`")
    inner = values.get("metadata")
    if isinstance(inner, Mapping):
        metadata = _texts({**_others(values), **inner})
    else:
        metadata = _texts({**_others(values), "metadata": inner})
    name = values.get("sample_id")
    return Fields(word, "" if name is None else _text(name), _time(values.get("event_time")), metadata)


def _others(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in NAMES}


def _texts(values: Mapping[Any, Any]) -> dict[str, str]:
    """Metadata is text to text: nothing that stands there is left out but what is empty."""
    return {str(key): _text(value) for key, value in values.items() if value is not None and value != ""}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _time(value: Any) -> float | None:
    """Read seconds since the epoch, or a date and time with its zone."""
    if value is None or value == "":
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        pass
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise SchemaError(
            f"event_time {str(value)[:40]!r}: write seconds since 1970, or 2025-01-31T12:00:00Z with its zone"
        )
    return moment.timestamp()
