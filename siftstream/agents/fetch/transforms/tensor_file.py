"""Arrays out of .npy, .npz and safetensors bytes: headers are checked before memory is taken, no pickles."""

import io
import math
import zipfile
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from siftstream.schemas.errors import TransformError

Array = NDArray[Any]

HEADER: Final = 10_000  # bytes of an .npy header, numpy's own limit for files that are not trusted
INDEX: Final = 1024**2  # bytes of a safetensors header
ENTRIES: Final = 10_000  # of an .npz
COMPRESSIONS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what numpy writes; others take more memory
SAFETENSORS: Final = {
    "BOOL": "?", "I8": "<i1", "I16": "<i2", "I32": "<i4", "I64": "<i8", "U8": "<u1", "U16": "<u2",
    "U32": "<u4", "U64": "<u8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2",
}  # fmt: skip


def arrays_in(data: bytes, wanted: Mapping[str, tuple[int, ...]], max_bytes: int) -> dict[str, Array]:
    """Return the wanted arrays, of exactly these shapes; the kind of file is told by its first bytes.

    Raises:
        TransformError: another kind of file, broken, or without one of these arrays.
    """
    if data.startswith(b"\x93NUMPY"):
        if len(wanted) > 1:
            raise TransformError(f"an .npy file holds one array, {len(wanted)} are declared (arrays)")
        name = next(iter(wanted))
        return {name: npy(data, name, wanted[name])}
    if data.startswith(b"PK\x03\x04"):
        return _npz(data, wanted, max_bytes)
    if len(data) > 8 and data[8:9] == b"{":
        return _safetensors(data, wanted)
    if not data:
        raise TransformError("no array: the object is empty")
    raise TransformError(f"no array in a known format (.npy, .npz, safetensors): {len(data):,} bytes")


def npy(data: bytes, name: str, wanted: tuple[int, ...]) -> Array:
    """Return a view of the bytes of an .npy file."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read:
        raise TransformError(f"array {name!r}: .npy version {version[0]}.{version[1]} is not read")
    shape, fortran, dtype = read[version](file, max_header_size=HEADER)
    if dtype.hasobject:
        raise TransformError(f"array {name!r}: Python objects (a pickle) are never read")
    check_shape(name, shape, wanted)
    start, size = file.tell(), math.prod(shape) * dtype.itemsize
    if len(data) - start != size:
        raise TransformError(f"array {name!r}: {len(data) - start:,} bytes, its header says {size:,}")
    flat = np.frombuffer(data, dtype, math.prod(shape), start)
    return flat.reshape(shape, order="F" if fortran else "C")


def check_shape(name: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """Raise a TransformError where the shapes differ."""
    if tuple(found) != wanted:
        raise TransformError(f"array {name!r}: shape {list(found)!s:.200}, declared {list(wanted)}")


def _npz(data: bytes, wanted: Mapping[str, tuple[int, ...]], max_bytes: int) -> dict[str, Array]:
    if data.count(b"PK\x01\x02") > ENTRIES:  # before the library makes an object of each
        raise TransformError(f"an .npz file of more than {ENTRIES:,} entries")
    arrays: dict[str, Array] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        for name, shape in wanted.items():
            entry = entries.get(f"{name}.npy")
            if entry is None:
                raise _absent(name, [known.removesuffix(".npy") for known in entries])
            if entry.compress_type not in COMPRESSIONS:
                raise TransformError(f"array {name!r}: compressed in a way that numpy does not write")
            max_bytes -= entry.file_size
            if max_bytes < 0:
                raise TransformError(
                    f"array {name!r}: {entry.file_size:,} bytes decompressed are too many (max_bytes)"
                )
            with archive.open(entry) as file:
                # With a number it inflates no more than that, whatever follows; without one, all at once.
                arrays[name] = npy(file.read(entry.file_size), name, shape)
    return arrays


def _safetensors(data: bytes, wanted: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    from safetensors import deserialize

    if int.from_bytes(data[:8], "little") > min(INDEX, len(data) - 8):
        raise TransformError(f"no safetensors file: a header of more than the file or {INDEX:,} bytes")
    found = dict(deserialize(data))
    arrays: dict[str, Array] = {}
    for name, shape in wanted.items():
        if name not in found:
            raise _absent(name, list(found))
        tensor = found[name]
        if tensor["dtype"] not in SAFETENSORS:
            raise TransformError(f"array {name!r}: safetensors of {tensor['dtype']!s:.20} are not read")
        check_shape(name, tuple(tensor["shape"]), shape)
        array = np.frombuffer(tensor["data"], SAFETENSORS[tensor["dtype"]]).reshape(shape)
        if tensor["dtype"] == "BF16":  # the upper half of a float32
            array = (array.astype(np.uint32) << 16).view(np.float32)
        arrays[name] = array
    return arrays


def _absent(name: str, known: list[str]) -> TransformError:
    names = ", ".join(repr(other[:40]) for other in sorted(known)[:5])
    return TransformError(f"no array {name!r} in the file; it has {names or 'none'}")
