"""Images: PNG, JPEG, WebP, GIF, TIFF, BMP, AVIF, JPEG 2000 and PPM to uint8 [channels, height, width].

Upright by EXIF, first frame only, transparency on white, 16-bit grey scaled to 8. Shrinking averages over
every pixel (no aliasing). What costs how much stands in docs/decisions/0008-decoding.md.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from siftstream.agents.fetch.transforms.base import Count, Transform, uncounted
from siftstream.agents.fetch.transforms.pixels import (
    FORMATS,
    JPEG,
    SIDEWAYS,
    Picture,
    Size,
    read_any,
    read_jpeg,
    too_many_pixels,
)
from siftstream.agents.fetch.transforms.settings import ImageSettings
from siftstream.schemas.arrays import ArraySpec
from siftstream.schemas.errors import TransformError

Pixels = NDArray[np.uint8]

REDUCING_GAP: Final = 3.0  # shrinks by a whole factor first, down to this many times the output
# EXIF orientation: step through the rows, step through the columns, whether the two change places then.
UPRIGHT: Final = {
    1: (1, 1, False),
    2: (1, -1, False),
    3: (-1, -1, False),
    4: (-1, 1, False),
    5: (1, 1, True),
    6: (-1, 1, True),
    7: (-1, -1, True),
    8: (1, -1, True),
}


class ImageTransform(Transform):
    """Decodes and resizes one image.

    >>> transform = ImageTransform(ImageSettings(height=2, width=2, channels=1))
    >>> transform(b"P5 2 2 255 " + bytes([0, 50, 100, 255]))["image"].tolist()
    [[[0, 50], [100, 255]]]
    """

    Settings = ImageSettings
    settings: ImageSettings

    def __init__(self, settings: ImageSettings, count: Count = uncounted) -> None:
        super().__init__(settings, count)
        Image.init()
        self._formats = [name for name in FORMATS if name in Image.OPEN]
        self._shape = (settings.channels, settings.height, settings.width)
        self._grey, self._most = settings.channels == 1, settings.max_pixels

    @property
    def specs(self) -> dict[str, ArraySpec]:
        """One array [channels, height, width] uint8; the encoder's graph normalises."""
        return {self.settings.name: ArraySpec(self._shape, np.dtype(np.uint8))}

    def __call__(self, data: bytes) -> dict[str, Pixels]:
        """Decode, resize, turn upright."""
        try:
            return {self.settings.name: self._drawn(self._read(data))}
        except TransformError:
            raise
        except (UnidentifiedImageError, EOFError):
            raise TransformError(_unknown(data)) from None
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise too_many_pixels("more", self._most) from None
        except Exception as error:  # decoders fail in every way on bytes made to harm
            words = str(error)[:200] or type(error).__name__
            raise TransformError(f"not a readable image: {words}") from error

    def _read(self, data: bytes) -> Picture:
        if data[:3] == JPEG:
            picture = read_jpeg(data, self._needs, grey=self._grey, most=self._most)
            if picture is not None:
                return picture
        return read_any(data, self._needs, self._formats, grey=self._grey, most=self._most)

    def _needs(self, width: int, height: int, orientation: int) -> Size:
        """Return the size at which the whole picture is drawn, before it is turned."""
        out_width, out_height = self._box(orientation)
        if self.settings.resize == "squash" or (width, height) == (out_width, out_height):
            return out_width, out_height
        across, down = out_width / width, out_height / height
        scale = min(across, down) if self.settings.resize == "pad" else max(across, down)
        return max(1, round(width * scale)), max(1, round(height * scale))

    def _box(self, orientation: int) -> Size:
        _, height, width = self._shape
        return (width, height) if orientation < SIDEWAYS else (height, width)

    def _drawn(self, picture: Picture) -> Pixels:
        """Return the picture resized, turned and centred on the output."""
        pixels = picture.pixels
        if isinstance(pixels, Image.Image):
            pixels = _eight_bits(self._resized(pixels, picture), grey=self._grey)
        if picture.orientation != 1:
            rows, columns, swapped = UPRIGHT[picture.orientation]
            pixels = pixels[::rows, ::columns]
            pixels = pixels.swapaxes(0, 1) if swapped else pixels
        planes = pixels.transpose(2, 0, 1)
        if planes.shape == self._shape:
            return np.array(planes, order="C")  # always a copy: the output owns its memory
        array = np.zeros(self._shape, np.uint8)
        (to_y, from_y), (to_x, from_x) = map(_centred, self._shape[1:], planes.shape[1:])
        array[:, to_y, to_x] = planes[:, from_y, from_x]
        return array

    def _resized(self, image: Image.Image, picture: Picture) -> Image.Image:
        if image.size == picture.drawn:
            return image
        size = picture.drawn
        width, height = picture.covers
        left = top = 0.0
        if self.settings.resize == "crop":
            size = self._box(picture.orientation)
            scale = min(width / size[0], height / size[1])
            left, top = max(0.0, width - size[0] * scale) / 2, max(0.0, height - size[1] * scale) / 2
        gap = None if image.mode.startswith("I") else REDUCING_GAP
        box = (left, top, width - left, height - top)
        return image.resize(size, Image.Resampling.BILINEAR, box, gap)


def _centred(room: int, size: int) -> tuple[slice, slice]:
    """Return where on the output, and which part of the picture: padded or cut around the centre."""
    both = min(room, size)
    to, start = (room - both) // 2, (size - both) // 2
    return slice(to, to + both), slice(start, start + both)


def _eight_bits(image: Image.Image, *, grey: bool) -> Pixels:
    """Return [height, width, channels] of a picture in one of the modes of `flat_mode`."""
    pixels = np.asarray(image)
    if image.mode.startswith("I"):
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    elif image.mode in ("La", "RGBa"):
        colours, opacity = pixels[..., :-1], pixels[..., -1:]
        pixels = 255 - (opacity - np.minimum(colours, opacity))  # premultiplied, on white
    if pixels.ndim == 2:
        pixels = pixels[..., np.newaxis]
    if grey and pixels.shape[2] == 3:
        return np.asarray(Image.fromarray(pixels).convert("L"))[..., np.newaxis]
    return pixels if grey or pixels.shape[2] == 3 else pixels.repeat(3, axis=2)


def _unknown(data: bytes) -> str:
    if not data:
        return "no image: the object is empty"
    if data.lstrip()[:1] in (b"<", b"{"):
        return f"no image: {len(data):,} bytes of what looks like HTML, XML or JSON (an error page?)"
    return f"no image in a known format ({', '.join(FORMATS)}), or cut off in its header: {len(data):,} bytes"
