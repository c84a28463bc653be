"""Images: PNG, JPEG, WebP, GIF, TIFF, BMP, AVIF, JPEG 2000 and PPM to uint8 [channels, height, width].

Upright by EXIF, first frame only, transparency on white, 16-bit grey scaled to 8. Pillow decodes; a plain
JPEG goes through simplejpeg where it is installed, which is several times faster and lets other threads run.
"""

import importlib
import io
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from siftstream.agents.fetch.settings import TransformSettings
from siftstream.agents.fetch.transforms.base import Transform
from siftstream.schemas.errors import TransformError

Pixels = NDArray[np.uint8]

# Formats whose header tells the true size and whose decoder runs no other program (EPS would).
FORMATS: Final = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM")
ORIENTATION: Final = 0x0112
UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
OVERSIZE: Final = 2  # JPEGs are decoded at the smallest scale that is at least this many times the output


class ImageTransform(Transform):
    """Decodes and resizes one image.

    >>> transform = ImageTransform(TransformSettings(height=2, width=2, channels=1))
    >>> transform(b"P5 2 2 255 " + bytes([0, 50, 100, 255])).tolist()
    [[[0, 50], [100, 255]]]
    """

    def __init__(self, settings: TransformSettings) -> None:
        super().__init__(settings)
        Image.init()
        self._formats = [name for name in FORMATS if name in Image.OPEN]
        self._jpeg = _simplejpeg()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return self.settings.channels, self.settings.height, self.settings.width

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """Always uint8; the encoder's graph normalises."""
        return np.dtype(np.uint8)

    def __call__(self, data: bytes) -> Pixels:
        """Decode, turn upright, flatten, resize."""
        try:
            pixels = self._plain_jpeg(data)
            if pixels is None:
                pixels = np.asarray(self._resize(self._any_image(data)))
            elif pixels.shape[:2] != self.shape[1:]:
                pixels = np.asarray(self._resize(Image.fromarray(pixels)))
        except TransformError:
            raise
        except (UnidentifiedImageError, EOFError):
            raise TransformError(_unknown(data)) from None
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise self._too_many_pixels("more") from None
        except Exception as error:  # decoders fail in every way on bytes made to harm
            raise TransformError(
                f"not a readable image: {str(error)[:200] or type(error).__name__}"
            ) from error
        return np.ascontiguousarray(pixels.reshape(*self.shape[1:], -1).transpose(2, 0, 1))

    def _plain_jpeg(self, data: bytes) -> Pixels | None:
        """Decode a JPEG without EXIF to [height, width(, 3)]; None where Pillow has to look."""
        if self._jpeg is None or data[:3] != b"\xff\xd8\xff" or b"Exif\0" in data:
            return None
        try:
            height, width, colours, _ = self._jpeg.decode_jpeg_header(data)
            if colours not in ("YCbCr", "Gray"):
                return None
            self._check_pixels(width, height)
            pixels: Pixels = self._jpeg.decode_jpeg(
                data,
                colorspace="GRAY" if self.settings.channels == 1 else "RGB",
                min_height=OVERSIZE * self.settings.height,
                min_width=OVERSIZE * self.settings.width,
            )
        except ValueError:  # damaged or unusual: Pillow judges
            return None
        return pixels[..., 0] if pixels.shape[2] == 1 else pixels

    def _any_image(self, data: bytes) -> Image.Image:
        with Image.open(io.BytesIO(data), formats=self._formats) as image:
            self._check_pixels(*image.size)
            largest = OVERSIZE * max(self.settings.height, self.settings.width)
            image.draft(None, (largest, largest))
            image.load()
            self._check_pixels(*image.size)
            turn = UPRIGHT.get(_orientation(image))
            flat = _flatten(image, "L" if self.settings.channels == 1 else "RGB")
            return flat.transpose(turn) if turn is not None else flat

    def _resize(self, image: Image.Image) -> Image.Image:
        width, height = self.settings.width, self.settings.height
        if image.size == (width, height):
            return image
        if self.settings.resize == "squash":
            return _scale(image, (width, height))
        if self.settings.resize == "crop":
            scale = min(image.width / width, image.height / height)
            left, top = (image.width - width * scale) / 2, (image.height - height * scale) / 2
            box = (max(left, 0.0), max(top, 0.0), image.width - max(left, 0.0), image.height - max(top, 0.0))
            return _scale(image, (width, height), box)
        scale = min(width / image.width, height / image.height)
        fitted = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        canvas = Image.new(image.mode, (width, height))
        canvas.paste(_scale(image, fitted), ((width - fitted[0]) // 2, (height - fitted[1]) // 2))
        return canvas

    def _check_pixels(self, width: int, height: int) -> None:
        if width * height > self.settings.max_pixels:
            raise self._too_many_pixels(f"{width} x {height}")

    def _too_many_pixels(self, found: str) -> TransformError:
        return TransformError(f"too many pixels: {found}, allowed {self.settings.max_pixels:,} (max_pixels)")


def _scale(
    image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> Image.Image:
    return image.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=3.0)


def _simplejpeg() -> Any:
    try:
        return importlib.import_module("simplejpeg")
    except ImportError:
        return None


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 where there is none or it cannot be read."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # broken EXIF says nothing about the pixels
        return 1


def _flatten(image: Image.Image, mode: str) -> Image.Image:
    """Bring any Pillow mode to `mode`, L or RGB, transparency laid on white."""
    if image.mode.startswith(("I", "F")):
        image = _to_eight_bits(image)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image if image.mode == mode else image.convert(mode)


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey to 8; wider ranges have no agreed white."""
    values = np.asarray(image)
    if values.dtype.kind == "f" or values.min() < 0 or values.max() > 0xFFFF:
        raise TransformError(f"{image.mode}: 32-bit pixels have no agreed range; convert to 8 or 16 bits")
    return Image.fromarray(((values.astype(np.uint32) + 128) // 257).astype(np.uint8))


def _unknown(data: bytes) -> str:
    if not data:
        return "no image: the object is empty"
    if data.lstrip()[:1] in (b"<", b"{"):
        return f"no image: {len(data):,} bytes of what looks like HTML, XML or JSON (an error page?)"
    return f"no image in a known format ({', '.join(FORMATS)}), or cut off in its header: {len(data):,} bytes"
