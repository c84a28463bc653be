"""The hostile inputs of fuzzing: bombs, random bytes, and real files of every format mutated."""

import struct
from collections.abc import Callable, Sequence
from random import Random

from tests.agents.fetch import samples
from tests.agents.fetch.bombs import bombs, chunk

NUMBERS = (0, 1, 0x7F, 0xFF, 0x100, 0x7FFF, 0xFFFF, 7900, 64_000_000, 2**31 - 1, 2**31, 2**32 - 1)
PNG = b"\x89PNG\r\n\x1a\n"


class Inputs:
    """The hostile inputs of one kind, by number: first the bombs, then mutations."""

    def __init__(self, kind: str, seed: int, *, with_bombs: bool = True) -> None:
        self._name = f"{seed}/{kind}"
        self._bombs = bombs(kind) if with_bombs else []
        self._good = samples.good(kind)

    def __getitem__(self, number: int) -> bytes:
        if number < len(self._bombs):
            return self._bombs[number]
        random = Random(f"{self._name}/{number}")
        if random.random() < 0.05:
            return random.randbytes(random.choice((0, 1, 7, 100, 3000)))
        data = random.choice(self._bombs if self._bombs and random.random() < 0.01 else self._good)
        if random.random() < 0.05:
            return data[:12] + random.randbytes(random.randrange(500))
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            data = random.choice(MUTATIONS)(data, random, self._good)
        return with_checksums(data) if random.random() < 0.7 else data


def flipped(data: bytes, random: Random, good: Sequence[bytes]) -> bytes:
    """Change some bytes; half of the time near the beginning, where headers are."""
    changed = bytearray(data)
    reach = len(data) if random.random() < 0.5 else min(len(data), 200)
    for _ in range(random.choice((1, 2, 5, 20)) if data else 0):
        changed[random.randrange(reach)] = random.randrange(256)
    return bytes(changed)


def cut(data: bytes, random: Random, good: Sequence[bytes]) -> bytes:
    """Keep the beginning, or leave a part out of the middle."""
    start = random.randrange(len(data) + 1)
    return data[:start] if random.random() < 0.5 else data[:start] + data[start + random.randrange(1, 200) :]


def spliced(data: bytes, random: Random, good: Sequence[bytes]) -> bytes:
    """Put the end of another file behind the beginning of this one, or a whole one."""
    other = random.choice(good)
    if random.random() < 0.3:
        return data + other
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other)) :]


def repeated(data: bytes, random: Random, good: Sequence[bytes]) -> bytes:
    """Say a part several times."""
    start = random.randrange(len(data) + 1)
    part = data[start : start + random.randrange(1, 300)]
    return data[:start] + part * random.choice((2, 3, 50)) + data[start:]


def lying(data: bytes, random: Random, good: Sequence[bytes]) -> bytes:
    """Write an extreme number of two, four or eight bytes over something, mostly near the beginning."""
    form = random.choice(("<H", ">H", "<I", ">I", "<Q"))
    size = struct.calcsize(form)
    reach = len(data) if random.random() < 0.3 else min(len(data), 400)
    at = random.randrange(max(1, reach - size))
    return data[:at] + struct.pack(form, random.choice(NUMBERS) & (256**size - 1)) + data[at + size :]


def digits(data: bytes, random: Random, good: Sequence[bytes]) -> bytes:
    """Put something odd in place of one character: for headers and formats in text."""
    odd = random.choice(
        (b"9" * 400, b"-", b"1e999", b"NaN", b"[" * 5000, b'"', b"\\u", b"\0", b"\n", b"{", b",")
    )
    at = random.randrange(len(data) + 1)
    return data[:at] + odd + data[at + 1 :]


MUTATIONS: tuple[Callable[[bytes, Random, Sequence[bytes]], bytes], ...] = (
    flipped, cut, spliced, repeated, lying, lying, digits
)  # fmt: skip


def with_checksums(data: bytes) -> bytes:
    """Return a PNG with its checksums put right, so that damage gets past them; other bytes as they are."""
    if data[:8] != PNG:
        return data
    fixed, at = data[:8], 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size > len(data) - at - 12:
            break
        fixed += chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + size])
        at += size + 12
    return fixed + data[at:]
