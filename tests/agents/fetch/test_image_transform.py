"""Images of every kind become upright uint8 arrays of the declared shape, or a TransformError."""

import io
import struct
import zlib
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from siftstream.agents.fetch.settings import TransformSettings
from siftstream.agents.fetch.transforms import ImageTransform, make_transform, registry, transform_names
from siftstream.schemas.errors import ConfigError, TransformError

pytestmark = pytest.mark.filterwarnings("ignore")  # as in a worker: Pillow warns of damage and reads on


def transform(data: bytes, size: tuple[int, int] = (8, 8), channels: int = 3, **more: Any) -> np.ndarray:
    width, height = size
    made = ImageTransform(
        TransformSettings.model_validate({"width": width, "height": height, "channels": channels, **more})
    )
    array = made(data)
    assert (array.shape, array.dtype) == (made.shape, made.dtype)
    assert array.flags.c_contiguous
    return array


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def picture(width: int = 8, height: int = 8, seed: int = 0) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR)


def chw(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB")).transpose(2, 0, 1)


def test_an_image_of_the_right_size_keeps_its_pixels() -> None:
    np.testing.assert_array_equal(transform(encoded(picture())), chw(picture()))
    np.testing.assert_array_equal(
        transform(encoded(picture()), channels=1)[0], np.asarray(picture().convert("L"))
    )


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM"])
def test_every_format_is_read(kind: str) -> None:
    Image.init()
    if kind not in Image.SAVE:
        pytest.skip(f"this Pillow does not write {kind}")
    flat = Image.new("RGB", (16, 16), (200, 100, 50))
    assert abs(transform(encoded(flat, kind)).astype(int).mean(axis=(1, 2)) - (200, 100, 50)).max() < 8


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(8, 8), (64, 48), (700, 500)])
def test_simplejpeg_and_pillow_see_the_same_picture(channels: int, size: tuple[int, int]) -> None:
    pytest.importorskip("simplejpeg")
    data = encoded(picture(*size), "JPEG", quality=95)
    made = ImageTransform(TransformSettings(width=16, height=16, channels=channels))
    fast = made(data).astype(int)
    made._jpeg = None
    assert abs(fast - made(data)).max() <= 6


def test_squash_pad_and_crop_of_a_wide_image() -> None:
    stripes = np.zeros((10, 40, 3), np.uint8)
    stripes[:, :10], stripes[:, 10:30], stripes[:, 30:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    data = encoded(Image.fromarray(stripes))
    squashed = transform(data, (20, 20), resize="squash")
    assert squashed[:, 10, [0, 10, 19]].T.tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    padded = transform(data, (20, 20), resize="pad")
    assert padded[:, [0, 19], 10].max() == 0
    assert padded[:, 10, [0, 10, 19]].T.tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    cropped = transform(data, (20, 20), resize="crop")
    assert (cropped[1] == 255).all()
    assert cropped[[0, 2]].max() == 0


@pytest.mark.parametrize("resize", ["squash", "pad", "crop"])
@pytest.mark.parametrize("size", [(1, 1), (1, 999), (999, 1), (3, 7)])
def test_every_aspect_ratio_ends_in_the_declared_shape(resize: str, size: tuple[int, int]) -> None:
    array = transform(encoded(Image.new("RGB", size, "white")), (5, 9), resize=resize)
    assert array.max() == 255


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_exif_orientation_is_undone(orientation: int, kind: str) -> None:
    upright = Image.new("L", (16, 16), 0)
    upright.paste(255, (0, 0, 8, 8))  # only the top left quarter is white
    stored = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = upright.transpose(stored[orientation]) if orientation in stored else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    array = transform(encoded(image, kind, exif=exif), (2, 2), channels=1)
    assert array[0, 0, 0] > 150
    assert array[0].ravel()[1:].max() < 70


def test_transparency_lies_on_white() -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert transform(encoded(clear)).min() == 255
    half = Image.new("LA", (8, 8), (0, 128))
    assert set(transform(encoded(half), channels=1).ravel().tolist()) == {127}
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    assert transform(encoded(palette))[:, 0, 0].tolist() == [10, 20, 30]
    assert transform(encoded(palette, transparency=1))[:, 0, 0].tolist() == [255, 255, 255]
    keyed = Image.new("RGB", (8, 8), (1, 2, 3))
    assert transform(encoded(keyed, transparency=(1, 2, 3))).min() == 255


def test_sixteen_bits_become_eight_and_wider_ones_are_refused() -> None:
    ramp = np.array([[0, 128, 129, 257], [32768, 65278, 65406, 65535]], np.uint16)
    for kind in ("PNG", "TIFF"):
        array = transform(encoded(Image.fromarray(ramp), kind), (4, 2), channels=1)
        assert array[0].tolist() == [[0, 0, 1, 1], [128, 254, 254, 255]]
    for wide in (np.full((4, 4), 70_000, np.int32), np.full((4, 4), 0.5, np.float32)):
        with pytest.raises(TransformError, match="32-bit"):
            transform(encoded(Image.fromarray(wide), "TIFF"))


def test_cmyk_and_one_bit_are_read() -> None:
    for kind in ("JPEG", "TIFF"):
        cyan = transform(encoded(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), kind))[:, 0, 0].astype(int)
        assert abs(cyan - (0, 255, 255)).max() < 8
    assert transform(encoded(Image.new("1", (8, 8), 1))).min() == 255


def test_the_first_frame_of_a_moving_image_is_taken() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("white", "black")]
    assert transform(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])).min() == 255


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9])
def test_an_image_cut_short_is_refused(kind: str, share: float) -> None:
    data = encoded(picture(64, 64), kind)
    with pytest.raises(TransformError):
        transform(data[: int(len(data) * share)])


def test_what_is_no_image_is_told_by_what_it_looks_like() -> None:
    for data, words in ((b"", "empty"), (b"<!doctype html>", "error page"), (b"\0" * 99, "known format")):
        with pytest.raises(TransformError, match=words):
            transform(data)


def test_a_postscript_file_is_not_run() -> None:
    with pytest.raises(TransformError, match="known format"):
        transform(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header claims any size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data", [png_of(9000, 9000), png_of(50_000, 50_000), encoded(Image.new("L", (4000, 2600)), "JPEG")]
)
def test_a_pixel_bomb_is_refused_unread(data: bytes) -> None:
    with pytest.raises(TransformError, match=r"too many pixels: .*allowed 10,000,000"):
        transform(data, max_pixels=10_000_000)


SEEDS = [
    encoded(picture(24, 24), "PNG"),
    encoded(picture(24, 24), "JPEG"),
    encoded(picture(24, 24), "JPEG", progressive=True, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"),
    encoded(picture(24, 24).convert("P"), "GIF"),
    encoded(picture(24, 24), "WEBP"),
    encoded(picture(24, 24), "TIFF"),
    encoded(picture(24, 24).convert("RGBA"), "PNG", compress_level=0),
]
FUZZED = [
    ImageTransform(TransformSettings(width=8, height=8, max_pixels=1_000_000, resize=how))
    for how in ("squash", "pad", "crop")
]


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=12),
    st.integers(0, 2000),
    st.sampled_from(FUZZED),
)
def test_mutated_images_end_in_an_array_or_a_transform_error(
    seed: bytes, changes: list[tuple[int, int]], cut: int, made: ImageTransform
) -> None:
    data = bytearray(seed)
    for place, value in changes:
        data[place % len(data)] = value
    try:
        array = made(bytes(data[: cut or None]))
    except TransformError as error:
        assert len(str(error)) < 400  # noqa: PT017 - either end is right
    else:
        assert (array.shape, array.dtype) == (made.shape, made.dtype)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_end_in_an_array_or_a_transform_error(data: bytes) -> None:
    try:
        FUZZED[0](data)
    except TransformError:
        pass


def test_a_transform_is_found_by_name_and_a_plug_in_too(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint(name, "somewhere:Thing", registry.GROUP) for name in ("mine", "wrong", "gone", "image")
    ]
    things: dict[str, object] = {"mine": ImageTransform, "wrong": print, "image": print}
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    monkeypatch.setattr(EntryPoint, "load", lambda self: things[self.name])
    assert transform_names() == ["image", "gone", "mine", "wrong"]
    assert isinstance(make_transform(TransformSettings(kind="mine")), ImageTransform)
    assert isinstance(make_transform(TransformSettings()), ImageTransform)
    refused = {
        "wrong": "no subclass",
        "gone": "not load",
        "imagge": "did you mean image",
        "zz": "known: image",
    }
    for name, words in refused.items():
        with pytest.raises(ConfigError, match=words):
            make_transform(TransformSettings(kind=name))
    for name, field in TransformSettings.model_fields.items():
        assert field.description, name
