"""npy, npz and safetensors files become the declared arrays, or a TransformError."""

import io
import pickle
import struct
import tracemalloc
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from safetensors.numpy import save as safetensors

from siftstream.agents.fetch.transforms import TransformSettings, make_transform
from siftstream.agents.fetch.transforms.base import Transform
from siftstream.schemas.errors import TransformError


def transform(arrays: dict[str, Any] | None = None, **more: Any) -> Transform:
    chosen = {"kind": "tensor", "arrays": arrays or {"x": {"shape": [2, 3]}}, **more}
    return make_transform(TypeAdapter(TransformSettings).validate_python(chosen))


def one(shape: tuple[int, ...], dtype: str = "float32", **more: Any) -> Transform:
    return transform({"x": {"shape": shape, "dtype": dtype}}, **more)


def read(made: Transform, data: bytes) -> dict[str, np.ndarray]:
    arrays = made(data)
    assert arrays.keys() == made.specs.keys()
    for name, spec in made.specs.items():
        assert spec.fits(arrays[name])
        assert arrays[name].flags.c_contiguous
        assert arrays[name].flags.writeable
        assert arrays[name].dtype.isnative
    return arrays


def npy(array: Any, **more: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **more)
    return file.getvalue()


def npz(compressed: bool = False, **arrays: Any) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize(
    "data", [npy(X), npz(x=X), npz(True, x=X, other=np.zeros(9)), safetensors({"x": X, "other": np.zeros(9)})]
)
def test_every_format_is_read(data: bytes) -> None:
    np.testing.assert_array_equal(read(transform(), data)["x"], X)


def test_fortran_order_and_big_endian_come_out_native_and_in_c_order() -> None:
    for data in (npy(np.asfortranarray(X)), npy(X.astype(">f4")), npz(x=np.asfortranarray(X.astype(">f4")))):
        np.testing.assert_array_equal(read(transform(), data)["x"], X)


def test_a_single_number_and_every_type_are_read() -> None:
    assert read(one(()), npy(np.float32(7)))["x"].shape == ()
    for dtype in (
        "float16",
        "float64",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint64",
        "bool",
    ):
        for data in (npy(np.ones(3, dtype)), safetensors({"x": np.ones(3, dtype)})):
            assert read(one((3,), dtype), data)["x"].tolist() == [1, 1, 1]


def test_bfloat16_becomes_float32() -> None:
    header = b'{"x":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    data = struct.pack("<Q", len(header)) + header + struct.pack("<HH", 0x3FC0, 0xC000)
    assert read(one((2,)), data)["x"].tolist() == [1.5, -2.0]


def test_several_arrays_keep_their_names_or_get_the_models() -> None:
    made = transform(
        {"ids": {"shape": [2], "dtype": "int64", "entry": "a/b"}, "mask": {"shape": [2], "dtype": "bool"}}
    )
    ids, mask = np.array([1, 2]), np.array([True, False])
    for data in (npz(**{"a/b": ids, "mask": mask}), safetensors({"a/b": ids, "mask": mask})):
        arrays = read(made, data)
        assert (arrays["ids"].tolist(), arrays["mask"].tolist()) == ([1, 2], [True, False])
    with pytest.raises(TransformError, match=r"an \.npy file holds one array, 2 are declared"):
        made(npy(ids))
    for data in (npz(ids=ids), safetensors({"ids": ids})):
        with pytest.raises(TransformError, match="no array 'a/b' in the file; it has 'ids'"):
            made(data)


@pytest.mark.parametrize(
    ("stored", "declared"),
    [
        ("float64", "float32"), ("float16", "float32"), ("int64", "int32"), ("uint8", "int16"),
        ("uint8", "float32"), ("bool", "uint8"), ("int16", "float32"), ("int32", "float64"),
    ],
)  # fmt: skip
def test_types_of_the_same_kind_or_wider_are_converted(stored: str, declared: str) -> None:
    assert read(one((2,), declared), npy(np.array([0, 1], stored)))["x"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("stored", "declared"),
    [("float32", "int32"), ("int64", "float32"), ("int32", "uint8"), ("int64", "bool"), ("float32", "bool")],
)
def test_another_kind_of_number_needs_cast(stored: str, declared: str) -> None:
    data = npy(np.array([0, 1], stored))
    with pytest.raises(
        TransformError, match=f"{stored} instead of {declared}; save it as {declared}, or set cast"
    ):
        one((2,), declared)(data)
    assert read(one((2,), declared, cast=True), data)["x"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("values", "declared"),
    [
        (np.array([0, 2**31]), "int32"),
        (np.array([0, -1]), "uint8"),
        (np.array([0, 2**63], np.uint64), "int64"),
        (np.array([0.0, 2.0**63]), "int64"),
        (np.array([0.0, 256.0]), "uint8"),
        (np.array([0.0, np.nan]), "int32"),
        (np.array([0.0, -np.inf]), "int32"),
    ],
)
def test_a_value_that_the_type_cannot_hold_is_refused(values: np.ndarray, declared: str) -> None:
    with pytest.raises(TransformError, match=f"values that {declared} cannot hold"):
        one((2,), declared, cast=True)(npy(values))
    assert read(one((2,), "uint8", cast=True), npy(np.array([255.9, -0.9])))["x"].tolist() == [255, 0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_unless_allowed(value: float) -> None:
    data = npy(np.array([1, value]))
    with pytest.raises(TransformError, match="NaN or infinity"):
        one((2,))(data)
    np.testing.assert_array_equal(read(one((2,), finite=False), data)["x"], np.float32([1, value]))
    with pytest.raises(TransformError, match="infinity in it as float32"):
        one((1,))(npy(np.array([1e300])))


def test_a_pickle_is_never_read() -> None:
    data = npy(np.array([{"a": 1}] * 6, object).reshape(2, 3), allow_pickle=True)
    for file in (data, npz_of({"x.npy": data})):
        with pytest.raises(TransformError, match="Python objects"):
            transform()(file)
    with pytest.raises(TransformError, match="known format"):
        transform()(pickle.dumps(X))


@pytest.mark.parametrize(
    "array",
    [np.array([["a"] * 3] * 2), np.zeros((2, 3), complex), np.zeros((2, 3), "M8[s]"), np.zeros((2, 3), "V4")],
)
def test_types_that_are_no_numbers_are_refused(array: np.ndarray) -> None:
    with pytest.raises(TransformError, match="no type of numbers"):
        one((2, 3), cast=True)(npy(array))


def npz_of(entries: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file.getvalue()


def npy_header(shape: str, descr: str = "'<f4'", version: bytes = b"\x01\x00") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header


LYING_INDEX = b'{"x":{"dtype":"F32","shape":[2,3],"data_offsets":[0,9999999]}}'


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the object is empty"),
        (b"\x89PNG\r\n", "known format"),
        (npy(X.T), r"array 'x': shape \[3, 2\], declared \[2, 3\]"),
        (npz(x=X[:1]), r"shape \[1, 3\]"),
        (safetensors({"x": X.ravel()}), r"shape \[6\]"),
        (npy(X)[:-1], "array 'x': 23 bytes, its header says 24"),
        (npy(X) + b"\0", "25 bytes, its header says 24"),
        (npy(X)[:20], "no readable array"),
        (npz(x=X)[:-30], "no readable array"),
        (safetensors({"x": X})[:-1], "no readable array"),
        (npy_header("(9999999999999, 9999999)") + bytes(24), "shape"),
        (npy_header("(-2, -3)") + bytes(24), "shape"),
        (npy_header("(2, 3)", "'|O'") + bytes(24), "Python objects"),
        (npy_header("(2, 3)", "[('a', '<f4')]") + bytes(24), "no type of numbers"),
        (npy_header("(2, 3)", version=b"\x09\x00") + bytes(24), "version 9.0 is not read"),
        (npy_header("(" * 5000 + ")" * 5000) + bytes(24), "no readable array"),
        (struct.pack("<Q", len(LYING_INDEX)) + LYING_INDEX + bytes(24), "no readable array"),
        (struct.pack("<Q", 2**62) + b"{" + bytes(24), "header of more than the file"),
        (npz_of({"x.npy": npy(X)}, zipfile.ZIP_LZMA), "compressed in a way that numpy does not write"),
        (npz_of({f"{i}": b"" for i in range(10_001)}), "more than 10,000 entries"),
        (npz_of({"x.npy": bytes(70_000_000)}), r"70,000,000 bytes decompressed are too many \(max_bytes\)"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_broken_and_hostile_files_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(TransformError, match=words) as caught:
        transform()(data)
    assert len(str(caught.value)) < 400


def test_a_zip_bomb_that_lies_about_its_size_takes_no_memory() -> None:
    bomb = bytearray(npz_of({"x.npy": bytes(50_000_000)}))
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = bomb.index(mark) + place
        bomb[at : at + 4] = struct.pack("<I", 152)  # as if it were small
    tracemalloc.start()
    try:
        with pytest.raises(TransformError):
            transform()(bytes(bomb))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"arrays": {}}, "`arrays` is needed: the model's inputs"),
        ({"arrays": {"x": {"dtype": "float32"}}}, "shape"),
        ({"arrays": {"x": {"shape": [0]}}}, "greater than or equal to 1"),
        ({"arrays": {"x": {"shape": [1], "dtype": "object"}}}, "dtype"),
        ({"max_bytes": 10}, "arrays of 24 bytes, max_bytes allows 10"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any], words: str) -> None:
    chosen = {"kind": "tensor", "arrays": {"x": {"shape": [2, 3]}}, **wrong}
    with pytest.raises(ValidationError, match=words):
        TypeAdapter(TransformSettings).validate_python(chosen)


SEEDS = [npy(X), npy(X.astype(">f8")), npz(x=X), npz(True, x=X), safetensors({"x": X})]
FUZZED = [transform(), transform(finite=False), one((2, 3), "int32", cast=True)]


@pytest.mark.filterwarnings("ignore")  # as in a worker: numpy and Python's own parser warn of odd headers
@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(SEEDS) | st.binary(max_size=100),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
    st.integers(0, 800),
    st.sampled_from(FUZZED),
)
def test_mutated_files_end_in_an_array_or_a_transform_error(
    seed: bytes, changes: list[tuple[int, int]], cut: int, made: Transform
) -> None:
    data = bytearray(seed or b"x")
    for place, value in changes:
        data[place % len(data)] = value
    try:
        arrays = made(bytes(data[: cut or None]))
    except TransformError as error:
        assert len(str(error)) < 400  # noqa: PT017 - either end is right
    else:
        assert made.specs["x"].fits(arrays["x"])
