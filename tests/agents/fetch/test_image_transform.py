"""Images of every kind become upright uint8 arrays of the declared shape, or a TransformError."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from siftstream.agents.fetch.transforms import image as module
from siftstream.agents.fetch.transforms.image import ImageTransform
from siftstream.agents.fetch.transforms.settings import ImageSettings
from siftstream.schemas.errors import TransformError

pytestmark = pytest.mark.filterwarnings("ignore")  # as in a worker: Pillow warns of damage and reads on


def made(size: tuple[int, int] = (8, 8), **more: Any) -> ImageTransform:
    return ImageTransform(ImageSettings.model_validate({"width": size[0], "height": size[1], **more}))


def transform(data: bytes, size: tuple[int, int] = (8, 8), channels: int = 3, **more: Any) -> np.ndarray:
    return made(size, channels=channels, **more)(data)["image"]


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


def photo(width: int, height: int) -> Image.Image:
    """Smooth shapes, sharp edges and a little noise, as photographs have."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / 9), np.cos(y / 7), np.sin((x + y) / 23)], axis=2) * 50 + 128
    waves[(x // 37 + y // 29) % 3 == 0] += 60
    noise = np.random.default_rng(0).normal(0, 4, waves.shape)
    return Image.fromarray((waves + noise).clip(0, 255).astype(np.uint8))


@pytest.fixture
def pillow_alone(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that transforms by Pillow what simplejpeg would have read."""

    def read(data: bytes, *args: Any, **more: Any) -> np.ndarray:
        with monkeypatch.context() as patch:
            patch.setattr(module, "read_jpeg", lambda *args, **more: None)
            return transform(data, *args, **more)

    return read


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("resize", ["squash", "pad", "crop"])
@pytest.mark.parametrize("size", [(16, 16), (33, 32), (64, 48), (701, 503)])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_both_decoders_give_the_same_pixels(
    channels: int, resize: str, size: tuple[int, int], subsampling: str, pillow_alone: Any
) -> None:
    data = encoded(photo(*size), "JPEG", quality=90, subsampling=subsampling)
    fast = transform(data, (16, 16), channels, resize=resize)
    np.testing.assert_allclose(
        fast.astype(int), pillow_alone(data, (16, 16), channels, resize=resize), atol=1
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("resize", ["squash", "pad", "crop"])
@pytest.mark.parametrize(
    ("size", "mean", "most"),
    [((16, 16), 0, 0), ((33, 30), 0.5, 2), ((250, 150), 1.5, 16), ((700, 501), 1.0, 10)],
)
def test_a_jpeg_and_a_png_of_the_same_picture_agree(
    channels: int, resize: str, size: tuple[int, int], mean: float, most: int
) -> None:
    jpeg = encoded(photo(*size), "JPEG", quality=95, subsampling="4:4:4")
    png = encoded(Image.open(io.BytesIO(jpeg)))
    apart = abs(
        transform(jpeg, (16, 16), channels, resize=resize).astype(int)
        - transform(png, (16, 16), channels, resize=resize)
    )
    assert apart.mean() <= mean + (channels == 1), apart.mean()
    assert apart.max() <= most + (channels == 1), apart.max()


def test_shrinking_does_not_alias() -> None:
    checks = np.indices((512, 512)).sum(axis=0) % 2 * 255
    for kind in ("PNG", "JPEG"):
        grey = transform(encoded(Image.fromarray(checks.astype(np.uint8)), kind), (13, 13)).astype(int)
        assert abs(grey - 127.5).max() < 3


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
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
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
    array = transform(encoded(image, kind, exif=exif_of(orientation)), (2, 2), channels=1)
    assert array[0, 0, 0] > 150
    assert array[0].ravel()[1:].max() < 70


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("resize", ["squash", "pad", "crop"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("size", [(40, 20), (400, 201)])
def test_a_picture_stored_on_its_side_is_fitted_as_it_is_seen(
    resize: str, kind: str, size: tuple[int, int]
) -> None:
    upright = photo(*size)
    lying = upright.transpose(Image.Transpose.ROTATE_90)  # 6: turn right to see it upright
    options = {"quality": 98, "subsampling": "4:4:4"} if kind == "JPEG" else {}
    seen = transform(encoded(lying, kind, exif=exif_of(6), **options), (17, 12), resize=resize).astype(int)
    expected = transform(encoded(upright, kind, **options), (17, 12), resize=resize).astype(int)
    assert abs(seen - expected).mean() < 2
    assert abs(seen - expected).max() < 20


@pytest.mark.parametrize("exif", [b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0", b"Exif\0\0MM\0*junk"])
def test_broken_exif_is_passed_over(exif: bytes) -> None:
    assert transform(encoded(picture(), "JPEG", exif=exif)).shape == (3, 8, 8)


def test_a_crop_of_the_right_height_is_cut_out_unblurred() -> None:
    for kind, options in (("PNG", {}), ("JPEG", {"quality": 100, "subsampling": "4:4:4"})):
        data = encoded(photo(40, 32), kind, **options)
        np.testing.assert_array_equal(
            transform(data, (32, 32), resize="crop"), transform(data, (40, 32))[:, :, 4:36]
        )


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


def test_sixteen_bits_are_resized_like_eight_and_in_colour_too() -> None:
    fine = np.tile(np.arange(256, dtype=np.uint16) * 257, (64, 1))
    coarse = transform(encoded(Image.fromarray((fine // 257).astype(np.uint8))), (40, 9)).astype(int)
    for kind in ("PNG", "TIFF"):
        assert abs(transform(encoded(Image.fromarray(fine), kind), (40, 9)) - coarse).max() <= 1


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


def test_a_jpeg_of_a_thousand_scans_is_refused() -> None:
    data = encoded(picture(64, 64), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    scans = data[:start] + data[start:-2] * 1000 + data[-2:]
    for bad in (scans, b"\xff\xd8\xff\xff" + scans[3:]):  # the second one simplejpeg does not take
        with pytest.raises(TransformError, match="scans, allowed 100"):
            transform(bad)


def test_a_picture_that_pillow_would_decode_for_minutes_is_refused() -> None:
    for data in (b"P3 2000 2000 255 " + b"1 " * 99, b"P6 2000 2000 999 " + bytes(99)):
        with pytest.raises(TransformError, match=r"rare kind .* save it as PNG"):
            transform(data)
    assert transform(b"P3 1 1 255 1 2 3").ravel().tolist() == [1] * 64 + [2] * 64 + [3] * 64


def test_a_tiff_of_a_few_pixels_on_a_huge_tile_is_refused() -> None:
    tags = {256: 8, 257: 8, 258: 8, 259: 5, 262: 1, 277: 1, 322: 65_520, 323: 30_000, 324: 8, 325: 99}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    data = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4) + b"\x80\x0b\x50" * 33
    with pytest.raises(TransformError, match="too many pixels: 65520 x 30000"):
        transform(data)


def test_two_frame_headers_do_not_hide_the_size() -> None:
    data = encoded(picture(16, 16), "JPEG")
    at = data.index(b"\xff\xc0")
    frame = data[at : at + 19]
    huge = frame[:5] + struct.pack(">HH", 9000, 9000) + frame[9:]
    for both in (frame + huge, huge + frame):
        with pytest.raises(TransformError):
            transform(data[:at] + both + data[at + 19 :])


@pytest.mark.parametrize("name", ["", "two words", "1st", "a\nb"])
def test_a_name_that_no_model_input_has_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="name"):
        ImageSettings(name=name)


@settings(max_examples=300, deadline=None)
@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from(["squash", "pad", "crop"]),
    st.sampled_from(["JPEG", "PNG"]),
    st.integers(1, 8),
    st.sampled_from([1, 3]),
)
def test_any_size_becomes_any_size_whichever_way_it_lies(
    size: tuple[int, int], out: tuple[int, int], resize: str, kind: str, orientation: int, channels: int
) -> None:
    data = encoded(Image.new("RGB", size, "white"), kind, exif=exif_of(orientation))
    array = transform(data, out, channels, resize=resize)
    assert array.shape == (channels, out[1], out[0])
    if resize == "pad":
        assert array.max() == 255
    else:
        assert array.min() == 255
