"""The demo's data."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siftstream.demo.digits import HELD_OUT, read_images, split, write_digits

pytest.importorskip("sklearn")


def names(paths: tuple[Path, ...]) -> list[str]:
    return [path.name for path in paths]


def test_no_image_is_both_streamed_and_held_out() -> None:
    held_out, streamed = split(1797, seed=3)
    assert sorted(held_out + streamed) == list(range(1797))
    assert len(held_out) == HELD_OUT


def test_the_same_seed_writes_the_same_files_and_another_seed_others(tmp_path: Path) -> None:
    first = write_digits(tmp_path / "a", seed=1, limit=60)
    again = write_digits(tmp_path / "b", seed=1, limit=60)
    other = write_digits(tmp_path / "c", seed=2, limit=60)
    assert names(first.stream) == names(again.stream) != names(other.stream)
    assert names(first.holdout) == names(again.holdout)
    assert first.stream[0].read_bytes() == again.stream[0].read_bytes()
    assert not set(names(first.stream)) & set(names(first.holdout))


def test_images_are_grey_and_lie_in_the_folder_of_their_class(tmp_path: Path) -> None:
    digits = write_digits(tmp_path, seed=0, limit=40)
    with Image.open(digits.stream[0]) as image:
        assert (image.mode, image.size) == ("L", (8, 8))
    images, targets = read_images(digits.holdout)
    assert images.shape == (HELD_OUT, 1, 8, 8)
    assert images.dtype == np.uint8
    assert images.max() == 255
    assert set(targets.tolist()) == set(range(10))
