"""Transforms: bytes to named arrays of fixed shape and dtype, one file a modality."""

from siftstream.agents.fetch.transforms.base import Transform
from siftstream.agents.fetch.transforms.registry import make_transform, transform_names
from siftstream.agents.fetch.transforms.settings import TransformSettings

__all__ = ["Transform", "TransformSettings", "make_transform", "transform_names"]
