"""Where model files lie: by their SHA-256, in a folder or in S3, never trusted unread."""

from siftstream.models.artifacts.store import ArtifactStore, Stored

__all__ = ["ArtifactStore", "Stored"]
