"""What a measurement raises that could not be taken."""

from siftstream.schemas.errors import SiftError


class BenchFailed(SiftError):
    """A measurement could not be taken; the message says why."""
