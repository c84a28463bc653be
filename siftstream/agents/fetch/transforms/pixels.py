"""One picture's bytes to pixels: which decoder reads them, at which scale, and the guards before it.

simplejpeg decodes plain JPEGs, Pillow everything else. Both hand out the picture as it is stored, with the
EXIF orientation beside it: turning is cheaper once the picture is small.
"""

import io
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from simplejpeg import decode_jpeg

from siftstream.schemas.errors import TransformError

Pixels = NDArray[np.uint8]
Size = tuple[int, int]  # width, height
Needs = Callable[[int, int, int], Size]  # width, height, orientation -> size at which the whole is drawn

# Formats whose header tells the true size and whose decoder runs no other program (EPS would).
FORMATS: Final = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM")
JPEG: Final = b"\xff\xd8\xff"
ORIENTATION: Final = 0x0112
TILE_WIDTH: Final = 322
TILE_LENGTH: Final = 323
SIDEWAYS: Final = 5  # EXIF orientations from here on exchange width and height
OVERSIZE: Final = 1.6  # JPEGs are decoded at the smallest scale that is at least this many times the output
MAX_SCANS: Final = 100  # a progressive JPEG has about ten; each walks over every pixel, however few its bytes
IN_PYTHON: Final = {"ppm": 1_000_000, "ppm_plain": 1_000_000, "bmp_rle": 4_000_000}  # Pillow's slow decoders
START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
SEQUENTIAL: Final = (0xC0, 0xC1)
METADATA: Final = 0xE1  # EXIF and XMP


class Frame(NamedTuple):
    """What a JPEG says of itself before its pixels."""

    width: int
    height: int
    components: int
    progressive: bool
    metadata: bool


class Picture(NamedTuple):
    """Pixels as stored: an array [height, width, channels] where they need no resizing, else an image."""

    pixels: Image.Image | Pixels
    orientation: int
    covers: tuple[float, float]  # of the pixels: a little less than all where scaled decoding rounded up
    drawn: Size  # at which the whole picture is to be drawn


def check_pixels(width: int, height: int, most: int) -> None:
    """Raise TransformError for more than `most` pixels."""
    if width * height > most:
        raise too_many_pixels(f"{width} x {height}", most)


def too_many_pixels(found: str, most: int) -> TransformError:
    """Return the error that says so."""
    return TransformError(f"too many pixels: {found}, allowed {most:,} (max_pixels)")


def read_jpeg(data: bytes, needs: Needs, *, grey: bool, most: int) -> Picture | None:
    """Decode a JPEG in colour or grey; None where Pillow has to look: CMYK, damage.

    Raises:
        TransformError: more than `most` pixels, or too many scans.
    """
    frame = _frame(data)
    if frame is None or frame.components not in (1, 3):
        return None
    width, height = frame.width, frame.height
    check_pixels(width, height, most)
    if frame.progressive:
        _check_scans(data)
    orientation = _jpeg_orientation(data) if frame.metadata else 1
    drawn = needs(width, height, orientation)
    try:
        if drawn == (width, height):
            return Picture(decode_jpeg(data, "GRAY" if grey else "RGB"), orientation, drawn, drawn)
        factor = _factor(width, height, drawn)
        pixels: Pixels = decode_jpeg(
            data,
            "GRAY" if grey else "RGB",
            min_height=-(-height // factor),
            min_width=-(-width // factor),
        )
    except ValueError:
        return None
    image = Image.fromarray(pixels[..., 0] if grey else pixels)
    return Picture(image, orientation, (width / factor, height / factor), drawn)


def read_any(data: bytes, needs: Needs, formats: list[str], *, grey: bool, most: int) -> Picture:
    """Decode any of `formats` by Pillow, to one of the modes of `flat_mode`.

    Raises:
        TransformError: more than `most` pixels, too many scans, or pixels of no agreed range.
        Exception: whatever Pillow raises.
    """
    if data.startswith(JPEG):
        _check_scans(data)
    with Image.open(io.BytesIO(data), formats=formats) as image:
        check_pixels(*image.size, most)
        _check_decoder(image)
        _check_tiles(image, most)
        if image.format in ("JPEG", "MPO"):
            return _scaled_jpeg(image, needs, grey=grey)
        image.load()
        check_pixels(*image.size, most)
        orientation = _orientation(image)  # some formats tell it only now
        flat = flat_mode(image, grey=grey)
        return Picture(flat, orientation, image.size, needs(*image.size, orientation))


def _scaled_jpeg(image: Image.Image, needs: Needs, *, grey: bool) -> Picture:
    orientation, size = _orientation(image), image.size
    drawn = needs(*size, orientation)
    factor = _factor(*size, drawn)
    drafted = image.draft("L" if grey else None, (size[0] // factor, size[1] // factor))
    covers = drafted[1][2:] if drafted else size
    image.load()
    return Picture(flat_mode(image, grey=grey), orientation, covers, drawn)


def flat_mode(image: Image.Image, *, grey: bool) -> Image.Image:
    """Bring any mode to L, RGB, La, RGBa (premultiplied, so that hidden colours stay hidden) or 16 bits.

    Raises:
        TransformError: 32-bit pixels beyond 16 bits.
    """
    if image.mode.startswith(("I", "F")):
        if image.mode == "F" or not _within_16_bits(image):
            raise TransformError(f"{image.mode}: 32-bit pixels have no agreed range; convert to 8 or 16 bits")
        return image
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        if image.mode == "LA":
            return image.convert("La")
        return (image if image.mode == "RGBA" else image.convert("RGBA")).convert("RGBa")
    if image.mode in ("La", "RGBa"):
        return image
    mode = "L" if grey else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _within_16_bits(image: Image.Image) -> bool:
    if image.mode != "I":
        return True
    low, high = image.getextrema()
    return isinstance(low, int) and isinstance(high, int) and low >= 0 and high <= 0xFFFF


def _frame(data: bytes) -> Frame | None:
    """Return what a JPEG's frame header says; None where the segments up to it do not follow on.

    A decoder meets the same segments and refuses a second frame header, so its size is this size. EXIF
    stands before the frame header: its standard puts it first.
    """
    metadata = False
    at, last = 2, len(data) - 10
    while at <= last and data[at] == 0xFF:
        kind = data[at + 1]
        if kind in START_OF_FRAME:
            height, width = data[at + 5] << 8 | data[at + 6], data[at + 7] << 8 | data[at + 8]
            return Frame(width, height, data[at + 9], kind not in SEQUENTIAL, metadata)
        if kind == METADATA:
            metadata = True
        at += 2 + (data[at + 2] << 8 | data[at + 3])
    return None


def _check_scans(data: bytes) -> None:
    if (scans := data.count(b"\xff\xda")) > MAX_SCANS:
        raise TransformError(f"a JPEG of {scans:,} scans, allowed {MAX_SCANS}: made to take for ever")


def _check_decoder(image: Image.Image) -> None:
    tiles: list[Any] = getattr(image, "tile", [])
    most = IN_PYTHON.get(tiles[0][0]) if tiles else None
    if most is not None and image.width * image.height > most:
        raise TransformError(
            f"{image.format} of a rare kind ({tiles[0][0]}), which is decoded slowly: {image.width} x"
            f" {image.height} pixels, allowed {most:,}; save it as PNG"
        )


def _check_tiles(image: Image.Image, most: int) -> None:
    """Check the tiles of a TIFF, which may be much larger than the picture: they are decoded whole."""
    tags: dict[int, Any] = getattr(image, "tag_v2", {})
    if TILE_WIDTH in tags and TILE_LENGTH in tags:
        check_pixels(int(tags[TILE_WIDTH]), int(tags[TILE_LENGTH]), most)


def _factor(width: int, height: int, drawn: Size) -> int:
    """Return the largest of 1, 2, 4 and 8 (the scales with fast code) that leaves enough pixels."""
    room = min(width / drawn[0], height / drawn[1]) / OVERSIZE
    return 8 if room >= 8 else 4 if room >= 4 else 2 if room >= 2 else 1


def _jpeg_orientation(data: bytes) -> int:
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "MPO"]) as image:
            return _orientation(image)
    except Exception:  # metadata that Pillow cannot read say nothing about the pixels
        return 1


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 where there is none or it cannot be read."""
    try:
        found = int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # broken EXIF says nothing about the pixels
        return 1
    return found if 1 <= found <= 8 else 1
