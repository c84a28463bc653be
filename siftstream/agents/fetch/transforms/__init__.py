"""Transforms: bytes to arrays of one fixed shape and dtype, one file a modality."""

from siftstream.agents.fetch.transforms.base import Transform
from siftstream.agents.fetch.transforms.image import ImageTransform
from siftstream.agents.fetch.transforms.registry import make_transform, transform_names

__all__ = ["ImageTransform", "Transform", "make_transform", "transform_names"]
