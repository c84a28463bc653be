"""Work in blocks: how much a pass over the window may hold at once beside it."""

from collections.abc import Iterator

BLOCK_VALUES = 1 << 21  # float64 values of one block: 16 MiB


def blocks(rows: int, width: int) -> Iterator[slice]:
    """Return slices over `rows` rows of `width` values, each of at most BLOCK_VALUES values, or one row.

    >>> [(part.start, part.stop) for part in blocks(5, BLOCK_VALUES // 2)]
    [(0, 2), (2, 4), (4, 5)]
    """
    step = max(1, BLOCK_VALUES // max(1, width))
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))
