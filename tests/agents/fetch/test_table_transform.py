"""JSON objects and CSV rows become float32 vectors by declared columns, or a TransformError."""

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from siftstream.agents.fetch.transforms import TransformSettings, make_transform
from siftstream.agents.fetch.transforms.base import Transform
from siftstream.schemas.errors import TransformError

COLUMNS: list[dict[str, Any]] = [
    {"name": "age"},
    {"name": "member", "kind": "boolean"},
    {"name": "colour", "kind": "category", "categories": ["red", "green", "blue"]},
    {"name": "size", "kind": "category", "categories": ["S", "M"], "encode": "index"},
]
ROW: dict[str, Any] = {"age": 31.5, "member": True, "colour": "blue", "size": "M"}


def transform(counts: Counter[str] | None = None, **more: Any) -> Transform:
    chosen = TypeAdapter(TransformSettings).validate_python({"kind": "table", "columns": COLUMNS, **more})
    counts = Counter() if counts is None else counts
    return make_transform(chosen, lambda name, number: counts.update({name: number}))


def numbers(made: Transform, data: bytes | dict[str, Any]) -> list[float]:
    arrays = made(data if isinstance(data, bytes) else json.dumps(data).encode())
    assert arrays.keys() == made.specs.keys()
    assert made.specs["row"].fits(arrays["row"])
    return arrays["row"].tolist()


def one(**column: Any) -> Transform:
    return transform(columns=[{"name": "x", **column}])


def test_an_object_becomes_a_vector_in_the_declared_order() -> None:
    assert numbers(transform(), ROW) == [31.5, 1, 0, 0, 1, 1]
    assert numbers(transform(), {"unused": [{}], **dict(reversed(ROW.items()))}) == [31.5, 1, 0, 0, 1, 1]


def test_a_csv_row_is_read_by_a_declared_header_or_its_own() -> None:
    declared = transform(format="csv", header=["colour", "age", "size", "note", "member"])
    assert numbers(declared, b'blue,31.5,M,"a, ""b""\n",yes\n') == [31.5, 1, 0, 0, 1, 1]
    own = transform(format="csv", delimiter=";")
    data = b"\xef\xbb\xbfcolour; age;size;member\r\n\r\nred;-1e3;S;FALSE\r\n"
    assert numbers(own, data) == [-1000, 0, 1, 0, 0, 0]


def test_numbers_are_standardised_by_the_given_mean_and_deviation() -> None:
    assert numbers(one(mean=30, std=10), {"x": 45}) == [1.5]
    assert numbers(one(kind="boolean", mean=0.5, std=0.5), {"x": False}) == [-1]


def test_missing_values_follow_the_rule_of_the_column_or_of_the_table() -> None:
    counts: Counter[str] = Counter()
    columns = [
        {"name": "a", "mean": 4, "std": 2, "missing": "mean"},
        {"name": "b", "mean": 4, "std": 2, "missing": "fill", "fill": 10},
        {"name": "c", "mean": 4, "std": 2},
        {"name": "d", "kind": "category", "categories": ["x", "y"]},
        {
            "name": "e",
            "kind": "category",
            "categories": ["x"],
            "encode": "index",
            "missing": "fill",
            "fill": -1,
        },
    ]
    made = transform(counts, columns=columns, missing="zero")
    empty = [0, 3, -2, 0, 0, -1]
    assert numbers(made, b"{}") == empty
    assert numbers(made, dict.fromkeys("abcde")) == empty
    assert numbers(made, b'{"a": NaN, "b": "NA", "c": " ", "d": "", "e": null}') == empty
    assert counts == {"missing_values": 15}
    assert numbers(made, {"d": "z", "e": "z"}) == empty
    assert counts == {"missing_values": 20, "unknown_categories": 2}


@pytest.mark.parametrize("value", [None, "", "NA", float("nan")])
def test_a_missing_value_is_refused_where_no_rule_covers_it(value: object) -> None:
    with pytest.raises(TransformError, match="column 'x' is missing"):
        one()(json.dumps({"x": value}).encode())
    with pytest.raises(TransformError, match="column 'age' is missing"):
        transform()(b"{}")


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("number", True, "true, a number expected"),
        ("number", "12", "the text '12', a number expected"),
        ("number", [1], "a list, a number expected"),
        ("number", {"a": 1}, "an object, a number expected"),
        ("number", 1e39, "the number 1e.39 is more than 32-bit floats hold"),
        ("number", 10**200, "the number 1e.200 is more than"),
        ("number", float("inf"), "a number beyond 1e300 is more than"),
        ("number", float("-inf"), "a number beyond 1e300 is more than"),
        ("boolean", 1, "the number 1, true or false expected"),
        ("boolean", "true", "the text 'true', a boolean expected"),
        ("category", 1.5, "the number 1.5, a category expected"),
        ("category", ["a"], "a list, a category expected"),
        ("category", "b" * 99, r"is 'b{40}\.\.\.', none of its 1 categories"),
    ],
)
def test_a_value_of_another_kind_is_refused(kind: str, value: object, words: str) -> None:
    more = {"categories": ["a"]} if kind == "category" else {}
    with pytest.raises(TransformError, match=f"column 'x':? {words}"):
        one(kind=kind, missing="error", **more)(json.dumps({"x": value}).encode())


def test_a_number_written_too_large_for_a_float_is_refused_whatever_the_rule() -> None:
    for text in ("1e999", "-1e999", "9" * 100_000, "-" + "9" * 100_000, "Infinity"):
        with pytest.raises(TransformError, match="more than 32-bit floats hold"):
            one(missing="zero")(f'{{"x": {text}}}'.encode())
    with pytest.raises(TransformError, match="more than 32-bit floats hold"):
        transform(columns=[{"name": "x"}], format="csv", header=["x"], missing="zero")(b"1e999")


@pytest.mark.parametrize("text", ["1_000", "0x10", "inf", "-nan", "1,5", "١٢", "1e", ".", "--1", "1 2"])
def test_csv_text_that_is_no_plain_number_is_refused(text: str) -> None:
    made = transform(columns=[{"name": "x"}], format="csv", header=["x"], delimiter=";")
    with pytest.raises(TransformError, match="a number expected"):
        made(text.encode())
    for fine, value in {"+1": 1, "-.5": -0.5, "1.": 1, "2E-1": 0.2}.items():
        assert numbers(made, fine.encode()) == [np.float32(value)]


def test_whole_numbers_and_booleans_may_name_categories() -> None:
    made = one(kind="category", categories=["3", "true"], encode="index")
    assert [numbers(made, {"x": value}) for value in (3, True, "true")] == [[0], [1], [1]]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\xff{}", "byte 0 is not UTF-8"),
        (b"[1, 2]", "a list instead"),
        (b"7", "the number 7 instead"),
        (b'{"x": 1', "no JSON object: .* line 1"),
        (b'{"x": 1} {"x": 2}', "Extra data"),
        (b'{"x": 1, "x": 2}', "member 'x' stands twice"),
        (b'{"x": ' + b"[" * 200_000, "nested too deeply"),
        (b'{"x":' * 100_000, "nested too deeply"),
        (b'{"x": "' + b"a" * 2_000_000 + b'"}', r"2,000,009 bytes, allowed 1,048,576 \(max_bytes\)"),
        (b"<html>", "Expecting value"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_clear_json_object_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(TransformError, match=words) as caught:
        one()(data)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"x,y\n", "no row after the header"),
        (b"x,y\n1,2\n3,4\n", "more than one row"),
        (b"x,y\n1\n", "1 fields, 2 names"),
        (b"x,x\n1,2\n", "stands twice in its header"),
        (b'x,y\n"1,2\n', "no CSV row: unexpected end"),
        (b"y\n1\n", "column 'x' is missing"),
        (b"x\n" + b"1" * 200_000, "field larger than field limit"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_clear_csv_row_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(TransformError, match=words):
        transform(columns=[{"name": "x"}], format="csv")(data)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"columns": []}, "`columns` is needed: a list"),
        ({"columns": [{"name": "x"}, {"name": "x"}]}, "a name stands twice"),
        ({"columns": [{"name": "x", "kind": "category"}]}, "needs `categories`"),
        ({"columns": [{"name": "x", "categories": ["a"]}]}, "belong to `kind: category`"),
        ({"columns": [{"name": "x", "std": 0}]}, "greater than 0"),
        ({"missing": "mean"}, "column colour: missing: mean means nothing for one_hot categories"),
        ({"missing": "zero"}, "column size: missing: zero means nothing for index categories"),
        ({"format": "csv", "header": ["age"]}, "lacks the columns member, colour, size"),
        ({"delimiter": '"'}, "neither quote"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        transform(**wrong)


SEEDS = [
    json.dumps(ROW).encode(),
    b"age,member,colour,size\n1,yes,red,S\n",
    b'{"age": -1.5e3, "member": false}',
]
FUZZED = [transform(), transform(format="csv"), transform(columns=[{"name": "age"}], missing="zero")]


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(SEEDS) | st.binary(max_size=60) | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*ROW, "other"]), inner, max_size=4),
    ).map(lambda value: json.dumps(value).encode()),
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 255)), max_size=4),
    st.sampled_from(FUZZED),
)  # fmt: skip
def test_any_bytes_end_in_finite_numbers_or_a_transform_error(
    seed: bytes, changes: list[tuple[int, int]], made: Transform
) -> None:
    data = bytearray(seed or b"x")
    for place, value in changes:
        data[place % len(data)] = value
    try:
        row = made(bytes(data))["row"]
    except TransformError as error:
        assert len(str(error)) < 400  # noqa: PT017 - either end is right
    else:
        assert made.specs["row"].fits(row)
        assert np.isfinite(row).all()
