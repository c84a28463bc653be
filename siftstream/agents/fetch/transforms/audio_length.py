"""Whether a recording's bytes end before it does: libsndfile reads what is there and says nothing."""

import struct
from typing import Final

CHUNKS: Final = 1000  # of a WAV; more are no recording
PLACEHOLDER: Final = 0x7FFF_0000  # from here on, what programs write that do not know the length yet


def is_cut_off(data: bytes, frames: int, decoded: int) -> bool:
    """Tell whether the file lacks its end, where its format lets one know.

    `frames` is how many the header promises of the wanted part, `decoded` how many came out.
    """
    match data[:4]:
        case b"RIFF" | b"RF64":
            return _wav_is_cut(data, "<")
        case b"RIFX":
            return _wav_is_cut(data, ">")
        case b"OggS":
            return not _last_page_is_last(data)
        case b"fLaC":
            return decoded < frames
        case _:
            # Without the encoder's own count the length is an estimate; with it, off by a frame at each end.
            return _mp3_is_counted(data) and decoded < frames - 2 * 1152


def _wav_is_cut(data: bytes, order: str) -> bool:
    place, long_size = 12, 0
    for _ in range(CHUNKS):
        if place + 8 > len(data):
            return False
        name, size = struct.unpack_from(f"{order}4sI", data, place)
        if name == b"ds64" and place + 24 <= len(data):  # RF64: sizes of 64 bits
            (long_size,) = struct.unpack_from(f"{order}Q", data, place + 16)
        if name == b"data":
            if size == 0xFFFF_FFFF and long_size:
                return place + 8 + long_size > len(data)
            return size < PLACEHOLDER and place + 8 + size > len(data)
        place += 8 + size + size % 2
    return False


def _last_page_is_last(data: bytes) -> bool:
    """Tell whether an Ogg file ends with a whole page that has the end-of-stream flag."""
    page = data.rfind(b"OggS")
    if page + 27 > len(data) or not data[page + 5] & 4:
        return False
    sizes = data[page + 27 : page + 27 + data[page + 26]]
    return page + 27 + data[page + 26] + sum(sizes) <= len(data)


def _mp3_is_counted(data: bytes) -> bool:
    start = 0
    if data[:3] == b"ID3" and len(data) > 10:
        start = 10 + sum(
            (byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True)
        )
    head = data[start : start + 256]
    return b"Xing" in head or b"Info" in head
