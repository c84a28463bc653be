"""Inputs made to harm: small files that ask for much memory or time, and headers that lie."""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

SIDE = 7900  # its square is just below the 64 million pixels that are allowed


def bombs(kind: str) -> list[bytes]:
    """Return the bombs for one kind of transform."""
    return list(
        {"image": _images, "text": _texts, "audio": _audio, "table": _rows, "tensor": _tensors}[kind]()
    )


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return a PNG chunk with the right checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int, height: int, *, depth: int = 1, colour: int = 0, interlaced: int = 0, extra: bytes = b""
) -> bytes:
    """Return a PNG of zeros that are all there, for sizes that are allowed; else of 99 bytes."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    size = (width * depth * channels + 7) // 8 + 1
    packer = zlib.compressobj(9)
    packed = (
        b"".join(packer.compress(bytes(size)) for _ in range(height)) if width * height < SIDE**2 + 1 else b""
    )
    packed += packer.flush()
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def _images() -> Iterator[bytes]:
    zeros = zlib.compress(bytes(100_000_000), 9)
    yield png(SIDE, SIDE)
    yield png(SIDE, SIDE, depth=8, colour=6)
    yield png(4000, 4000, depth=16, colour=6, interlaced=1)
    yield png(SIDE, SIDE, depth=8, colour=3, extra=chunk(b"PLTE", bytes(768)) + chunk(b"tRNS", bytes(256)))
    yield png(64_000_000, 1)
    yield png(1, 64_000_000)
    yield png(60_000, 60_000)
    yield png(2**31 - 1, 2**31 - 1)
    yield png(8, 8, extra=chunk(b"zTXt", b"a\0\0" + zeros))
    yield png(8, 8, extra=chunk(b"iTXt", b"a\0\1\0\0\0" + zeros))
    yield png(8, 8, extra=chunk(b"iCCP", b"a\0\0" + zeros))
    yield from _jpegs()
    yield from _bitmaps()
    yield from _tiffs()
    for width in (8, 16_383):
        size = struct.pack("<I", width - 1)[:3] * 2
        yield (
            b"RIFF"
            + struct.pack("<I", 30)
            + b"WEBPVP8X"
            + struct.pack("<I", 10)
            + b"\x12\0\0\0"
            + size
            + b"ANIM"
        )
        yield (
            b"RIFF\xff\xff\xff\xffWEBPVP8L\xff\xff\xff\xff\x2f"
            + struct.pack("<I", (width - 1) * 0x4001)
            + bytes(99)
        )
    yield b"GIF89a\xff\xff\xff\xff\xf7\0\0" + bytes(768) + b",\0\0\0\0\xff\xff\xff\xff\0\x08" + b"\xff" * 999
    yield b"GIF89a\x08\0\x08\0\x80\0\0" + bytes(6) + b",\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0" * 50_000 + b";"
    yield b"P6 9000 7000 65535\n" + bytes(9999)
    yield b"P5 " + b"#" * 1_000_000
    yield b"P3 900 900 255 " + b"7 " * 2_430_000
    yield b"P2 1000 1000 255 " + b"0" * 5_000_000
    for what in (b"%!PS-Adobe-3.0 EPSF-3.0\nshowpage\n", b"<svg/>", b"8BPS\0\1", b"PK\3\4", b"\0\0\1\0"):
        yield what + bytes(200)


def _jpegs() -> Iterator[bytes]:
    buffer = io.BytesIO()
    Image.new("L", (64, 64)).save(buffer, "JPEG")
    plain = buffer.getvalue()
    at = plain.index(b"\xff\xc0") + 5
    for height, width in ((SIDE, SIDE), (65_500, 65_500), (0, 64), (1, 65_500), (65_500, 970)):
        yield plain[:at] + struct.pack(">HH", height, width) + plain[at + 4 :]
    buffer = io.BytesIO()
    Image.new("RGB", (4000, 4000)).save(buffer, "JPEG", progressive=True, quality=5)
    large = buffer.getvalue()
    start = large.rindex(b"\xff\xda")
    for scans in (80, 5000):
        yield large[:start] + large[start : start + 40] * scans + large[-2:]
    yield plain[:2] + b"\xff\xe1\xff\xff" * 20_000 + plain[2:]
    yield (
        plain[:2]
        + b"\xff\xe1\0\x1eExif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\xff\xff\xff\xff\6\0"
        + plain[2:]
    )
    yield plain[:2] + b"\xff" * 100_000 + plain[2:]
    yield plain + plain * 200


def _bitmaps() -> Iterator[bytes]:
    for width, height, depth, packed, body in (
        (60_000_000, 1, 8, 1, b"\0\2\xff\xff" * 99),
        (3000, 1300, 8, 1, b"\1\7\0\0" * 50_000),
        (63_000_000, 1, 8, 1, b"\1\7\0\0\1\7\0\0"),
        (7000, 9000, 4, 2, b"\xff\x12" * 9999),
        (-8, -(2**31), 24, 0, b"\0" * 999),
        (2**31 - 1, 2**31 - 1, 32, 3, b"\0" * 999),
        (SIDE, SIDE, 1, 0, b"\0" * 999),
    ):
        info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, depth, packed, 0, 0, 0, 0, 0)
        yield b"BM" + struct.pack("<IHHI", 54 + 1024, 0, 0, 54 + 1024) + info + bytes(1024) + body


def _tiffs() -> Iterator[bytes]:
    base = {256: 64, 257: 64, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 64, 279: 4096}
    lies: list[dict[int, int]] = [
        {256: SIDE, 257: SIDE, 259: 5},
        {256: 2**31 - 1, 257: 2**31 - 1},
        {278: 2**31 - 1, 259: 5},
        {279: 2**32 - 1, 259: 8},
        {273: 2**32 - 1},
        {277: 65_535},
        {258: 64},
        {259: 7},
        {322: 2**31 - 16, 323: 2**31 - 16, 324: 8, 325: 99, 259: 5},
        {322: 65_520, 323: 65_520, 324: 8, 325: 99, 259: 8},
        {256: 8, 257: 8, 322: 65_520, 323: 30_000, 324: 8, 325: 99, 259: 5},
        {259: 34_712},
        {259: 50_001},
    ]
    for lie in lies:
        tags = sorted((base | lie).items())
        entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
        for following in (0, 8):  # no next directory, or the same one again
            end = struct.pack("<I", following)
            yield b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + end + b"\x80\x0b\x50" * 99
    yield b"II*\0\x08\0\0\0" + struct.pack("<H", 65_535) + struct.pack("<HHII", 256, 4, 2**30, 8) * 65_535


def _texts() -> Iterator[bytes]:
    yield b"[" * 1_000_000
    yield b'{"text":' * 100_000
    yield b'{"text": "' + b"\\ud800" * 1000 + b'"}'
    yield b'{"text": ' + b"9" * 1_000_000 + b"}"
    yield b"a" * 1_048_576
    yield b"a " * 524_288
    yield "\N{COMBINING ACUTE ACCENT}".encode() * 500_000
    yield b"\xff\xfe" + b"\0\xd8" * 100_000
    yield b"\xff\xfe\0\0" + b"\xff" * 1000
    yield b"\0" * 1_000_000
    yield b"a" * 2_000_000


def _rows() -> Iterator[bytes]:
    yield from _texts()
    yield json.dumps({f"k{n}": n for n in range(100_000)}).encode()
    for value in (
        "1e999",
        "-1e999",
        "NaN",
        "Infinity",
        "9" * 4300,
        "9" * 100_000,
        "1e-9999",
        '"' + "9" * 9999 + '"',
    ):
        yield f'{{"age": {value}, "weight": 1, "member": true, "city": "Oslo"}}'.encode()
    yield b"age,weight,member,city\n" + b"1," * 500_000 + b"\n"
    yield b"age,weight,member,city\n" + b'"' * 500_001
    yield b"\n" * 1_000_000
    yield b'{"age": ' + b"[" * 99_999 + b"]" * 99_999 + b"}"


def _audio() -> Iterator[bytes]:
    for channels, rate, bits, tag, size in (
        (65_535, 16_000, 16, 1, 2**32 - 1),
        (1, 2**32 - 1, 16, 1, 4000),
        (1, 0, 16, 1, 4000),
        (0, 16_000, 16, 1, 4000),
        (1, 16_000, 65_535, 1, 4000),
        (1, 1, 8, 1, 2**32 - 1),
        (2, 8000, 4, 2, 2**31),
        (2, 8000, 4, 17, 2**31),
        (1, 8000, 0, 49, 2**31),
        (1, 16_000, 16, 0xFFFE, 4000),
        (8, 384_000, 64, 3, 2**31),
    ):
        align = max(1, channels * bits // 8) & 0xFFFF
        fmt = struct.pack("<HHIIHH", tag, channels, rate, (rate * align) & 0xFFFFFFFF, align, bits)
        head = b"WAVEfmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", size)
        for form in (b"RIFF", b"RIFX", b"RF64"):
            yield form + struct.pack("<I", size & 0xFFFFFFFF) + head + bytes(4000)
    stream = bytes.fromhex("1000 1000 000000 000000") + b"\x0a\xc4\x42\xff\xff\xff\xff\xff" + bytes(16)
    yield b"fLaC\x80\0\0\x22" + stream + b"\xff\xf8\xc9\x18\0" + bytes(2000)
    yield b"fLaC" + b"\x04\xff\xff\xff" + bytes(1000)
    yield b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(3000)
    yield b"\xff\xfb\x90\x64" + b"\0" * 413 + (b"\xff\xfb\x90\x64" + bytes(413)) * 5000
    yield b"\xff\xfb\x14\x64" * 100_000
    yield (b"OggS\0\2" + bytes(20) + b"\1\x1e\1vorbis" + bytes(4) + b"\xff" * 19) * 300
    yield b"RIFF" + struct.pack("<I", 2**31) + b"WAVE" + (b"LIST" + struct.pack("<I", 0)) * 200_000


def _tensors() -> Iterator[bytes]:
    for header in (
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 4), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (3, 4), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-3, 4), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1," * 5000 + "), }",
        "{'descr': [('a', '<f4', (100000, 100000))], 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<U1000000000', 'fortran_order': False, 'shape': (), }",
        "__import__('os').abort()",
        "(" * 9000,
        "-" * 9000 + "1",
    ):
        text = header.encode().ljust(64)
        yield b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + bytes(48)
        yield b"\x93NUMPY\2\0" + struct.pack("<I", len(text)) + text + bytes(48)
        yield b"\x93NUMPY\2\0" + struct.pack("<I", 2**32 - 1) + text + bytes(48)
    yield from _archives()
    table = {"x": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]}}
    lies: list[object] = [
        {"x": {**table["x"], "shape": [2**62, 4]}},
        {"x": {**table["x"], "data_offsets": [0, 2**63]}},
        {"x": {**table["x"], "data_offsets": [48, 0]}},
        {"x": {**table["x"], "dtype": "F8_E4M3", "shape": [48]}},
        {"x": {**table["x"], "shape": [0] * 1000}},
        {f"x{n}": {**table["x"], "shape": [0], "data_offsets": [0, 0]} for n in range(10_000)},
        table,
        [],
    ]
    for lie in lies:
        header = json.dumps(lie)
        yield struct.pack("<Q", len(header)) + header.encode() + bytes(48)
    for size in (2**64 - 1, 2**63, 2**40, 100_000_001, 0):
        yield struct.pack("<Q", size) + json.dumps(table).encode() + bytes(48)
    deep = b'{"x":' * 100_000
    yield struct.pack("<Q", len(deep)) + deep


def _archives() -> Iterator[bytes]:
    one = io.BytesIO()
    np.save(one, np.zeros((3, 4), np.float32))
    zeros = bytes(300_000_000)
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            archive.writestr("x.npy", one.getvalue()[:128] + zeros)
            archive.writestr("n.npy", one.getvalue())
        bomb = buffer.getvalue()
        yield bomb
        size = struct.pack("<I", len(zeros) + 128)
        yield bomb.replace(size, struct.pack("<I", 176))  # the directory promises a small one
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number}.npy", b"")
    yield buffer.getvalue()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, np.errstate(all="ignore"):
        archive.writestr("x.npy", buffer.getvalue()[:64])
        archive.writestr("../../n.npy", one.getvalue())
    yield buffer.getvalue()
