"""Names for samples: the producer's own, else 128 bits of a hash of the URI."""

import hashlib
from typing import Final

HEX_DIGITS: Final = 32


def sample_id_of(uri: str) -> str:
    """Return the id of a sample that has none: the first 128 bits of SHA-256 of its URI, in hex.

    >>> sample_id_of("file:///data/cat.png")
    '7869966eea174d88f3f08e328f5fd908'
    """
    return hashlib.sha256(uri.encode()).hexdigest()[:HEX_DIGITS]


def share_of(sample_id: str, salt: str) -> float:
    """Place an id in [0, 1) by hash, the same place for ever; `salt` makes places independent.

    >>> 0.0 <= share_of("a", "holdout") < 1.0
    True
    """
    digest = hashlib.sha256(f"{salt}\0{sample_id}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)
