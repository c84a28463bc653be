"""The same window, k and seed give the same answer on any number of threads, in bounded memory."""

import hashlib
import json
import os
import subprocess
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest

from siftstream.strategies import get_strategy, strategy_names
from siftstream.strategies.blocks import BLOCK_VALUES
from siftstream.strategies.conformance import make_window
from tests.strategies.variants import VARIANTS

SIZE, K, DIM = 2500, 30, 48
WIDE = 7000  # its square, in float32, is 196 MB
BESIDE = 6 * 8 * BLOCK_VALUES  # a few blocks and copies of the window


def first(name: str) -> dict[str, Any]:
    return VARIANTS.get(name, [{}])[0]


def digest(name: str) -> str:
    window = make_window(5, SIZE, covered=40, labelled=40, dim=DIM, dtype=np.float16)
    chosen = get_strategy(name, **first(name)).select(window, K, np.random.default_rng(1))
    return hashlib.sha256(chosen.indices.tobytes() + chosen.scores.tobytes()).hexdigest()


def digests_with(threads: int) -> dict[str, str]:
    program = (
        "import json; from siftstream.strategies import strategy_names;"
        "from tests.strategies.test_same_everywhere import digest;"
        "print(json.dumps({name: digest(name) for name in strategy_names()}))"
    )
    limits = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | limits, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_one_thread_and_several_give_the_same_answers() -> None:
    alone, together = digests_with(1), digests_with(4)
    assert [name for name in alone if alone[name] != together[name]] == []
    assert len(alone) == len(strategy_names())


@pytest.mark.parametrize("name", strategy_names())
def test_memory_does_not_grow_with_the_square_of_the_window(name: str) -> None:
    window = make_window(6, WIDE, covered=10, labelled=20, dim=DIM, dtype=np.float16)
    strategy = get_strategy(name, **first(name))
    strategy.select(make_window(6, 50), 5, np.random.default_rng(0))  # what it imports is not its window
    tracemalloc.start()
    try:
        strategy.select(window, K, np.random.default_rng(0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < BESIDE, f"{peak / 1e6:.0f} MB beside a window of {WIDE}"
