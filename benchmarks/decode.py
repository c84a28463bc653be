"""Decoders of JPEGs beside each other, and the image transform beside its decoder, in one and two threads.

`python -m benchmarks.decode --data cifar10.zip` prints pictures a second for (a) 32x32 JPEGs to 32x32, (b)
1-megapixel and (c) 12-megapixel JPEGs to 224x224 with scaled decoding where the decoder has it, each as the
best of interleaved rounds, as a ratio to simplejpeg in one thread, and with the CPU microseconds a picture,
which tell more where the cores are not idle. `decoder` rows end with the decoded pixels, `ready` rows with
uint8 [3, height, width]. Without `--data` the small pictures are made. Libraries that are not installed are
left out.
"""

import argparse
import importlib
import io
import math
import os
import time
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image

from siftstream.agents.fetch.transforms.image import ImageTransform
from siftstream.agents.fetch.transforms.settings import ImageSettings

Read = Callable[[bytes], Any]
THREADS = (1, 2, 4)


def small(data: Path | None, count: int) -> list[bytes]:
    """Return 32x32 JPEGs, from the zip or made."""
    if data is None:
        return [made(32, 32, seed) for seed in range(count)]
    with zipfile.ZipFile(data) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[:count]
        return [archive.read(name) for name in names]


def made(width: int, height: int, seed: int = 0) -> bytes:
    """Return a JPEG with the detail of a photograph, about a quarter of a byte a pixel."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (max(2, height // 16), max(2, width // 16), 3), np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    buffer = io.BytesIO()
    noisy = (smooth + rng.normal(0, 6, smooth.shape)).clip(0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def readers(side: int, scale: int) -> dict[str, Read]:
    """Return what is compared, by name; `scale` is the fraction at which large pictures are decoded."""
    same = scale == 1 and side == 32
    found: dict[str, Read] = {}

    def by_simplejpeg(data: bytes) -> Any:
        if scale == 1:
            return simplejpeg.decode_jpeg(data)
        height, width = map(int, simplejpeg.decode_jpeg_header(data)[:2])
        return simplejpeg.decode_jpeg(data, min_height=-(-height // scale), min_width=-(-width // scale))

    def by_pillow(data: bytes) -> Any:
        image = Image.open(io.BytesIO(data))
        image.draft("RGB", (image.width // scale, image.height // scale))
        image.load()
        return image

    def resized(image: Image.Image) -> Any:
        fitted = image if same else image.resize((side, side), Image.Resampling.BILINEAR, reducing_gap=3.0)
        return np.ascontiguousarray(np.asarray(fitted).transpose(2, 0, 1))

    def simplejpeg_ready(data: bytes) -> Any:
        pixels = by_simplejpeg(data)
        return np.ascontiguousarray(pixels.transpose(2, 0, 1)) if same else resized(Image.fromarray(pixels))

    found["decoder simplejpeg"] = by_simplejpeg
    found["decoder Pillow"] = by_pillow
    found["ready simplejpeg + Pillow"] = simplejpeg_ready
    found["ready Pillow"] = lambda data: resized(by_pillow(data))
    found.update(by_opencv(side, scale, same=same))
    found["ready ImageTransform"] = ImageTransform(ImageSettings(height=side, width=side))
    return found


def by_opencv(side: int, scale: int, *, same: bool) -> dict[str, Read]:
    """Return OpenCV's readers, if it is installed."""
    try:
        cv2: Any = importlib.import_module("cv2")
    except ImportError:
        return {}
    cv2.setNumThreads(1)  # the threads are ours
    flag = {1: cv2.IMREAD_COLOR_RGB, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}
    flag[8] = cv2.IMREAD_REDUCED_COLOR_8

    def decode(data: bytes) -> Any:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flag[scale] | cv2.IMREAD_IGNORE_ORIENTATION)

    def ready(data: bytes) -> Any:
        pixels = decode(data)
        fitted = pixels if same else cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(fitted.transpose(2, 0, 1))

    return {"decoder OpenCV": decode, "ready OpenCV": ready}


def rate(read: Read, pictures: Sequence[bytes], threads: int) -> tuple[float, float]:
    """Return pictures a second and CPU seconds a picture; each thread takes its share, without a queue."""

    def share(first: int) -> None:
        for data in pictures[first::threads]:
            read(data)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: time.sleep(0.001), range(threads)))  # the threads have begun
        began, cpu = time.perf_counter(), time.process_time()
        list(pool.map(share, range(threads)))
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    return len(pictures) / wall, cpu / len(pictures)


def compare(title: str, pictures: Sequence[bytes], side: int, scale: int, rounds: int) -> None:
    """Print the table of one size of picture."""
    found = readers(side, scale)
    cases = [(name, threads) for name in found for threads in THREADS]
    rates = dict.fromkeys(cases, 0.0)
    cpu = dict.fromkeys(cases, math.inf)
    for _ in range(rounds):
        for case in cases:
            fast, cost = rate(found[case[0]], pictures, case[1])
            rates[case], cpu[case] = max(rates[case], fast), min(cpu[case], cost)
    base = rates["decoder simplejpeg", 1]
    print(f"{title}, {sum(map(len, pictures)) / len(pictures):,.0f} bytes")
    print(" " * 26 + "".join(f"{f'{n} threads':>14} {'CPU us':>9}" for n in THREADS))
    for name in found:
        cells = (
            f"{rates[name, n]:9,.0f} {rates[name, n] / base:4.2f} {cpu[name, n] * 1e6:9,.1f}" for n in THREADS
        )
        print(f"{name:26}" + "".join(cells))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a zip of 32x32 JPEGs")
    parser.add_argument("--count", type=int, default=1000, help="small pictures")
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores; pictures a second, and as a ratio to simplejpeg's decoder in one thread")
    compare("(a) 32x32 to 32x32", small(given.data, given.count), 32, 1, given.rounds)
    compare("(b) 1152x864 to 224x224", [made(1152, 864, n) for n in range(12)], 224, 2, given.rounds)
    compare("(c) 4000x3000 to 224x224", [made(4000, 3000, n) for n in range(4)], 224, 8, given.rounds)


if __name__ == "__main__":
    main()
