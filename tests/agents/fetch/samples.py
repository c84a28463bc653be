"""Good inputs for every built-in transform, and transforms to read them: for conformance and fuzzing."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save
from tokenizers import Tokenizer, models, pre_tokenizers

from siftstream.agents.fetch.transforms import Transform, make_transform
from siftstream.agents.fetch.transforms.settings import BUILT_IN

TEXT = "Seven swift foxes stream past the lazy dog; ça va, größer, 日本語, 🙂. " * 3
ROW = {"age": 41, "weight": 70.5, "member": True, "city": "Oslo", "note": "not a column"}
WAVE = (np.sin(np.arange(8000) / 9) * 0.4).astype(np.float32)
TENSORS: dict[str, NDArray[Any]] = {"x": np.arange(12, dtype=np.float32).reshape(3, 4), "n": np.array(7)}


def good(kind: str) -> list[bytes]:
    """Return inputs that every transform of `transforms(kind, ...)` reads, one or more a format."""
    return list(GOOD[kind]())


def transforms(kind: str, folder: Path) -> list[Transform]:
    """Return transforms of this kind with settings that differ; `folder` takes the files they need."""
    varied = SETTINGS[kind](folder)
    return [make_transform(BUILT_IN[kind].model_validate({"kind": kind, **more})) for more in varied]


def _images() -> Iterator[bytes]:
    Image.init()
    coarse = np.random.default_rng(0).integers(0, 255, (6, 5, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((45, 38), Image.Resampling.BILINEAR)
    exif = Image.Exif()
    exif[0x0112] = 6
    clear, grey, palette = picture.convert("RGBA"), picture.convert("L"), picture.convert("P")
    clear.putalpha(grey)
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    ways: list[tuple[Image.Image, str, dict[str, Any]]] = [
        (picture, "JPEG", {}),
        (picture, "JPEG", {"progressive": True, "exif": exif, "subsampling": "4:2:0"}),
        (picture.convert("CMYK"), "JPEG", {}),
        (grey, "JPEG", {"quality": 30}),
        (picture, "MPO", {"save_all": True, "append_images": [picture]}),
        (picture, "PNG", {"exif": exif}),
        (clear, "PNG", {"compress_level": 0}),
        (palette, "PNG", {"transparency": 3}),
        (deep, "PNG", {}),
        (palette, "GIF", {"save_all": True, "append_images": [grey.convert("P")], "interlace": 1}),
        (picture, "WEBP", {}),
        (clear, "WEBP", {"lossless": True, "save_all": True, "append_images": [clear]}),
        (picture, "AVIF", {}),
        (clear, "AVIF", {"exif": exif}),
        (picture, "JPEG2000", {}),
        (picture, "JPEG2000", {"tile_size": (16, 16), "no_jp2": True}),
        (picture, "BMP", {}),
        (palette, "BMP", {}),
        (picture, "PPM", {}),
        (deep, "PPM", {}),
        *((picture, "TIFF", {"compression": how}) for how in ("raw", "tiff_lzw", "jpeg", "tiff_deflate")),
        (deep, "TIFF", {"exif": exif}),
        (grey.convert("1"), "TIFF", {"compression": "group4"}),
        (picture.convert("CMYK"), "TIFF", {"compression": "packbits"}),
    ]
    for image, form, options in ways:
        if form in Image.SAVE:
            buffer = io.BytesIO()
            image.save(buffer, form, **options)
            yield buffer.getvalue()
    yield b"P3 2 2 255 " + b" ".join(b"%d" % n for n in range(12))


def _texts() -> Iterator[bytes]:
    for charset in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        yield TEXT.encode(charset)
    yield json.dumps({"text": TEXT, "label": 3}).encode()
    yield b"seven"


def _recordings() -> Iterator[bytes]:
    two = np.stack([WAVE, -WAVE / 2], axis=1)
    ways = [
        ("WAV", "PCM_16", WAVE),
        ("WAV", "FLOAT", two),
        ("WAV", "MS_ADPCM", WAVE),
        ("FLAC", "PCM_16", two),
    ]
    ways += [("OGG", "VORBIS", two), ("OGG", "OPUS", WAVE), ("MP3", "MPEG_LAYER_III", WAVE)]
    for form, subtype, wave in ways:
        buffer = io.BytesIO()
        soundfile.write(buffer, wave, 16_000, subtype, format=form)
        yield buffer.getvalue()


def _rows() -> Iterator[bytes]:
    yield json.dumps(ROW).encode()
    yield json.dumps(ROW | {"weight": None, "city": "Rome"}, indent=2).encode()


def _tensors() -> Iterator[bytes]:
    yield save(TENSORS)
    for write in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        write(buffer, **TENSORS)
        yield buffer.getvalue()


def _of_text(folder: Path) -> list[dict[str, Any]]:
    words = {"[PAD]": 0, "[UNK]": 1, **{word: n for n, word in enumerate(["seven", "swift", "foxes"], 2)}}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return [{"tokenizer": str(path), "length": 16}, {"tokenizer": str(path), "types": "token_type_ids"}]


def _of_table(folder: Path) -> list[dict[str, Any]]:
    columns = [
        {"name": "age", "mean": 40, "std": 9},
        {"name": "weight", "missing": "mean"},
        {"name": "member", "kind": "boolean"},
        {"name": "city", "kind": "category", "categories": ["Oslo", "Rome"]},
    ]
    return [{"columns": columns}, {"columns": columns, "missing": "zero", "name": "values"}]


def _of_image(folder: Path) -> list[dict[str, Any]]:
    return [
        {"height": 32, "width": 32},
        {"height": 7, "width": 12, "resize": "pad", "channels": 1},
        {"height": 40, "width": 24, "resize": "crop"},
        {"height": 38, "width": 45},
    ]


def _of_audio(folder: Path) -> list[dict[str, Any]]:
    return [{}, {"sample_rate": 8000, "features": "log_mel", "mels": 16, "offset": "centre"}]


def _of_tensor(folder: Path) -> list[dict[str, Any]]:
    arrays = {"x": {"shape": [3, 4]}, "number": {"shape": [], "dtype": "int64", "entry": "n"}}
    return [{"arrays": arrays}, {"arrays": {"x": {"shape": [3, 4], "dtype": "float64"}}}]


GOOD: dict[str, Callable[[], Iterator[bytes]]] = {
    "image": _images,
    "text": _texts,
    "audio": _recordings,
    "table": _rows,
    "tensor": _tensors,
}
SETTINGS: dict[str, Callable[[Path], list[dict[str, Any]]]] = {
    "image": _of_image,
    "text": _of_text,
    "audio": _of_audio,
    "table": _of_table,
    "tensor": _of_tensor,
}
