"""Training images changed at random, each time they are seen: what stays true whatever the picture shows.

Images are floats [B, C, H, W] of grey levels 0..255; B batch, C channels, H height, W width.
"""

import torch
from torch import Tensor
from torch.nn import functional

from siftstream.models.training.full.labels import is_image
from siftstream.models.training.settings import AugmentSettings

WHITE = 255.0


def augmented(
    inputs: dict[str, Tensor], how: AugmentSettings, generator: torch.Generator
) -> dict[str, Tensor]:
    """Return the inputs with all images changed, as floats; other arrays stay as they are."""
    return {
        name: changed(array.float(), how, generator) if is_image(array) else array
        for name, array in inputs.items()
    }


def changed(images: Tensor, how: AugmentSettings, generator: torch.Generator) -> Tensor:
    """Move, mirror, light up or down and blank images, as far as `how` says."""
    pixels = min(images.shape[2:]) // 8 if how.shift == "auto" else how.shift
    images = shift(images, pixels, generator)
    if how.flip:
        images = flip(images, generator)
    if how.contrast:
        images = contrast(images, how.contrast, generator)
    if how.brightness:
        images = brightness(images, how.brightness, generator)
    return erase(images, how.erase, generator) if how.erase else images


def shift(images: Tensor, pixels: int, generator: torch.Generator) -> Tensor:
    """Move each image by up to `pixels` up or down and sideways; edges are repeated."""
    if not pixels:
        return images
    height, width = images.shape[2:]
    padded = functional.pad(images, (pixels,) * 4, mode="replicate")
    moves = torch.randint(0, 2 * pixels + 1, (2, len(images), 1), generator=generator).to(images.device)
    rows = (moves[0] + torch.arange(height, device=images.device))[:, None, :, None]
    columns = (moves[1] + torch.arange(width, device=images.device))[:, None, None, :]
    batch = torch.arange(len(images), device=images.device)[:, None, None, None]
    channels = torch.arange(images.shape[1], device=images.device)[None, :, None, None]
    return padded[batch, channels, rows, columns]


def flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror every other image, by chance, left to right."""
    mirrored = torch.rand(len(images), 1, 1, 1, generator=generator).to(images.device) < 0.5
    return torch.where(mirrored, images.flip(3), images)


def brightness(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Multiply each image by a number in 1 - share .. 1 + share; what is beyond white is white."""
    return (images * _factors(images, share, generator)).clamp(0.0, WHITE)


def contrast(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Multiply each image's distances from its mean by a number in 1 - share .. 1 + share."""
    mean = images.mean((1, 2, 3), keepdim=True)
    return (mean + (images - mean) * _factors(images, share, generator)).clamp(0.0, WHITE)


def erase(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Blank a square somewhere, of a side up to `share` of the image's, with the image's mean.

    Source: cutout (DeVries and Taylor 2017), the square inside the image here and of a random size.
    """
    height, width = images.shape[2:]
    draws = torch.rand(3, len(images), generator=generator).to(images.device)
    rows, tall = _span(height, share, draws[0], draws[1])
    columns, wide = _span(width, share, draws[0], draws[2])
    square = (
        _inside(rows, tall, height, images.device)[:, None, :, None]
        & _inside(columns, wide, width, images.device)[:, None, None, :]
    )
    return torch.where(square, images.mean((2, 3), keepdim=True), images)


def _factors(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    draws = torch.rand(len(images), 1, 1, 1, generator=generator).to(images.device)
    return 1.0 + share * (2.0 * draws - 1.0)


def _span(size: int, share: float, how_long: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
    """Return first pixel and length of a span of up to `share` of the size."""
    length = (how_long * (share * size + 1)).floor().clamp(max=size)
    return (where * (size - length + 1)).floor(), length


def _inside(first: Tensor, length: Tensor, size: int, device: torch.device) -> Tensor:
    places = torch.arange(size, device=device)
    return (places >= first[:, None]) & (places < (first + length)[:, None])
