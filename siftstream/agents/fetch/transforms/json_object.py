"""One JSON object, read strictly: what two readers could take for two different things is refused."""

import json
import math
from typing import Any, Final, NoReturn

from siftstream.schemas.errors import TransformError

DIGITS: Final = 300  # of an integer; more are no number that a float holds, and cost quadratic time


def json_object(text: str) -> dict[str, Any]:
    """Return the object's members; NaN and infinity come as floats.

    >>> json_object('{"age": 31, "city": null}')
    {'age': 31, 'city': None}

    Raises:
        TransformError: no JSON, no object, a member twice, or nested too deeply.
    """
    try:
        value: Any = json.loads(text, object_pairs_hook=_once, parse_int=_integer)
    except RecursionError:
        raise TransformError("no JSON object: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise TransformError(
            f"no JSON object: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    if not isinstance(value, dict):
        raise TransformError(f"no JSON object: {kind_of(value)} instead")
    return value


def kind_of(value: object) -> str:
    """Say what a JSON value is, in JSON's words and short.

    >>> kind_of([1]), kind_of("a" * 99), kind_of(True)
    ('a list', "the text 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'", 'true')
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value:.6g}" if abs(value) < 1e300 else "a number beyond 1e300"
        case str():
            return f"the text {short(value)!r}"
        case list():
            return "a list"
        case _:
            return "an object"


def short(text: str) -> str:
    """Cut a text of unknown length for a message."""
    return text if len(text) <= 40 else text[:40] + "..."


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        _refuse_twice(pairs)
    return members


def _refuse_twice(pairs: list[tuple[str, Any]]) -> NoReturn:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise TransformError(f"no clear JSON object: the member {short(name)!r} stands twice in it")
        seen.add(name)
    raise AssertionError


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= DIGITS else -math.inf if digits[0] == "-" else math.inf
