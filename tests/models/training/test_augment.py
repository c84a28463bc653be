"""Augmentation on known pixels."""

import numpy as np
import pytest
import torch
from torch import Tensor

from siftstream.models.training.full.augment import (
    augmented,
    brightness,
    changed,
    contrast,
    erase,
    flip,
    shift,
)
from siftstream.models.training.settings import AugmentSettings


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def steps(copies: int = 64, side: int = 4) -> Tensor:
    """The same picture many times: 0, 10, 20 and so on."""
    return (torch.arange(side * side).float() * 10).reshape(1, 1, side, side).repeat(copies, 1, 1, 1)


def test_a_shifted_image_is_moved_by_whole_pixels_and_its_edges_are_repeated() -> None:
    picture = steps(1)[0, 0].numpy()
    padded = np.pad(picture, 1, mode="edge")
    possible = {padded[y : y + 4, x : x + 4].tobytes() for y in range(3) for x in range(3)}
    assert {image[0].numpy().tobytes() for image in shift(steps(), 1, seeded())} == possible
    assert shift(steps(), 0, seeded()).equal(steps())


def test_unless_told_otherwise_images_move_by_an_eighth_of_their_shorter_side() -> None:
    images = steps(8, side=16)
    assert changed(images, AugmentSettings(), seeded()).equal(shift(images, 2, seeded()))
    assert changed(steps(), AugmentSettings(), seeded()).equal(steps())


def test_about_half_of_the_images_are_mirrored_left_to_right() -> None:
    moved = flip(steps(400), seeded())
    same, mirrored = steps(1)[0], steps(1)[0].flip(2)
    assert all(image.equal(same) or image.equal(mirrored) for image in moved)
    assert 160 < sum(image.equal(mirrored) for image in moved) < 240


def test_brightness_multiplies_an_image_and_stops_at_white() -> None:
    lit = brightness(torch.full((200, 3, 2, 2), 100.0), 0.5, seeded())
    assert (lit == lit[:, :1, :1, :1]).all()
    assert 50 <= float(lit.min()) < 60
    assert 140 < float(lit.max()) <= 150
    assert float(brightness(torch.full((200, 1, 2, 2), 200.0), 0.5, seeded()).max()) == 255.0


def test_contrast_changes_distances_from_the_mean_by_one_factor_an_image() -> None:
    images = steps(50) + 50  # mean 125
    factors = (contrast(images, 0.5, seeded()) - 125) / (images - 125)
    assert torch.allclose(factors, factors[:, :1, :1, :1], atol=1e-5)
    assert 0.5 <= float(factors.min()) < 0.6
    assert 1.4 < float(factors.max()) <= 1.5


def test_erase_blanks_one_square_with_the_images_mean() -> None:
    images = steps(200, side=10)
    blanked = erase(images, 0.4, seeded())
    for before, after in zip(images[:, 0], blanked[:, 0], strict=True):
        rows, columns = torch.nonzero(after != before, as_tuple=True)
        if len(rows):
            square = after[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert max(square.shape) <= 4
            assert (square == before.mean()).all()
    areas = (blanked != images).sum((1, 2, 3))
    assert {0, 1, 4, 9, 16} == set(areas.tolist())


def test_the_same_seed_changes_images_in_the_same_way() -> None:
    how = AugmentSettings(shift=1, flip=True, brightness=0.2, contrast=0.2, erase=0.5)
    first, again, other = (changed(steps(), how, seeded(seed)) for seed in (1, 1, 2))
    assert first.equal(again)
    assert not first.equal(other)


@pytest.mark.parametrize("array", [torch.ones(4, 3), torch.ones(4, 1, 8, 8), torch.ones(4, 5).long()])
def test_only_images_are_changed(array: Tensor) -> None:
    how = AugmentSettings(shift=1, erase=1.0)
    inputs = {"image": steps().to(torch.uint8), "other": array}
    given = augmented(inputs, how, seeded())
    assert given["other"] is array
    assert not given["image"].equal(inputs["image"].float())
