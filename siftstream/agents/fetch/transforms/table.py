"""Table rows: one JSON object or one CSV row to a float32 vector, by a declared list of columns.

A value of the wrong kind is refused and never guessed at; what counts as missing follows the column's rule.
Infinity is no missing value and always refused.
"""

import csv
import io
import math
import re
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.fetch.transforms.base import Count, Transform, uncounted
from siftstream.agents.fetch.transforms.json_object import json_object, kind_of, short
from siftstream.agents.fetch.transforms.settings import Column, TableSettings
from siftstream.schemas.arrays import ArraySpec
from siftstream.schemas.errors import TransformError

NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
WORDS: Final = {"true": 1.0, "yes": 1.0, "1": 1.0, "false": 0.0, "no": 0.0, "0": 0.0}
LARGEST: Final = float(np.finfo(np.float32).max)


class TableTransform(Transform):
    """Reads one row.

    >>> transform = TableTransform(TableSettings.model_validate({"columns": [
    ...     {"name": "age", "mean": 30, "std": 10},
    ...     {"name": "colour", "kind": "category", "categories": ["red", "green"]}]}))
    >>> transform(b'{"colour": "green", "age": 45}')["row"].tolist()
    [1.5, 0.0, 1.0]
    """

    Settings = TableSettings
    settings: TableSettings

    def __init__(self, settings: TableSettings, count: Count = uncounted) -> None:
        super().__init__(settings, count)
        self._width = sum(column.width for column in settings.columns)
        self._missing_words = frozenset(settings.missing_words)

    @property
    def specs(self) -> dict[str, ArraySpec]:
        """One array [numbers of all columns] float32."""
        return {self.settings.name: ArraySpec((self._width,), np.dtype(np.float32))}

    def __call__(self, data: bytes) -> dict[str, NDArray[Any]]:
        """Parse, then turn each column into its numbers."""
        if len(data) > self.settings.max_bytes:
            raise TransformError(
                f"too long a row: {len(data):,} bytes, allowed {self.settings.max_bytes:,} (max_bytes)"
            )
        values = self._values(data)
        numbers: list[float] = []
        for column in self.settings.columns:
            numbers += self._numbers(column, values.get(column.name))
        return {self.settings.name: np.array(numbers, np.float32)}

    def _values(self, data: bytes) -> dict[str, Any]:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise TransformError(f"no table row: byte {error.start:,} is not UTF-8") from None
        if not text.strip():
            raise TransformError("no table row: the object is empty")
        if self.settings.format == "json":
            return json_object(text)
        return csv_row(text, self.settings.header, self.settings.delimiter)

    def _numbers(self, column: Column, value: Any) -> list[float]:
        if value is None or self._is_missing(value):
            return self._filled(column, "missing")
        if column.kind == "category":
            word = _word(column, value)
            if word not in column.categories:
                self.count("unknown_categories", 1)
                return self._filled(
                    column, f"{short(word)!r}, none of its {len(column.categories)} categories"
                )
            return _chosen(column, column.categories.index(word))
        if isinstance(value, str) and self.settings.format == "json":
            raise TransformError(f"column {column.name!r}: {kind_of(value)}, a {column.kind} expected")
        number = _boolean(column, value) if column.kind == "boolean" else _number(column, value)
        return [_scaled(column, number)]

    def _is_missing(self, value: Any) -> bool:
        if isinstance(value, str):
            return value.strip() in self._missing_words
        return isinstance(value, float) and math.isnan(value)

    def _filled(self, column: Column, found: str) -> list[float]:
        rule = self.settings.missing_in(column)
        if rule == "error":
            raise TransformError(
                f"column {column.name!r} is {found}; give it a rule (missing) if that may be"
            )
        self.count("missing_values", 1)
        if column.kind == "category":
            return [0.0] * column.width if column.encode == "one_hot" else [column.fill]
        return [_scaled(column, {"zero": 0.0, "mean": column.mean, "fill": column.fill}[rule])]


def csv_row(text: str, header: tuple[str, ...], delimiter: str) -> dict[str, str]:
    """Return the fields of the only row by name; without a `header` the first line names them.

    >>> csv_row('31,"Bonn, DE"', ("age", "city"), ",")
    {'age': '31', 'city': 'Bonn, DE'}

    Raises:
        TransformError: not exactly one row, broken quotes, or not as many fields as names.
    """
    names = list(header)
    rows: list[list[str]] = []
    try:
        for fields in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            if fields and not names:
                names = [field.strip() for field in fields]
            elif fields:
                rows.append(fields)
            if len(rows) > 1:
                break
    except csv.Error as error:
        raise TransformError(f"no CSV row: {error}") from None
    if len(rows) != 1:
        found = "no row" if not rows else "more than one row"
        raise TransformError(f"no CSV row: {found}{'' if header else ' after the header'}, one expected")
    if len(rows[0]) != len(names):
        raise TransformError(f"no CSV row: {len(rows[0]):,} fields, {len(names):,} names in the header")
    if len(set(names)) != len(names):
        raise TransformError("no clear CSV row: a name stands twice in its header")
    return dict(zip(names, rows[0], strict=True))


def _number(column: Column, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TransformError(f"column {column.name!r}: {kind_of(value)}, a number expected")
    if isinstance(value, str) and not NUMBER.fullmatch(value.strip()):
        raise TransformError(f"column {column.name!r}: {kind_of(value)}, a number expected")
    return float(value)


def _boolean(column: Column, value: Any) -> float:
    if isinstance(value, str) and value.strip().lower() in WORDS:
        return WORDS[value.strip().lower()]
    if not isinstance(value, bool):
        raise TransformError(f"column {column.name!r}: {kind_of(value)}, true or false expected")
    return float(value)


def _word(column: Column, value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int):  # True and False too
        return str(value).lower()
    raise TransformError(f"column {column.name!r}: {kind_of(value)}, a category expected")


def _chosen(column: Column, index: int) -> list[float]:
    if column.encode == "index":
        return [float(index)]
    return [float(place == index) for place in range(column.width)]


def _scaled(column: Column, number: float) -> float:
    scaled = (number - column.mean) / column.std
    if not abs(scaled) <= LARGEST:
        raise TransformError(f"column {column.name!r}: {kind_of(number)} is more than 32-bit floats hold")
    return scaled
