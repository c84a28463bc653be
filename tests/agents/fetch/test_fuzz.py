"""A seeded part of the fuzzing, and that the fuzzer counts what must not happen."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siftstream.agents.fetch.conformance import check_arrays
from siftstream.agents.fetch.transforms import Transform
from siftstream.agents.fetch.transforms.settings import BUILT_IN
from siftstream.schemas.errors import TransformError
from tests.agents.fetch import samples
from tests.agents.fetch.crashing import crashing
from tests.agents.fetch.fuzz import fuzz
from tests.agents.fetch.hostile import Inputs

HEAVY = (
    "image",
    "tensor",
)  # whose bombs take seconds to make and to defuse: `python -m tests.agents.fetch.fuzz`


@pytest.mark.parametrize("kind", BUILT_IN)
def test_hostile_inputs_end_in_arrays_or_transform_errors(kind: str) -> None:
    report = fuzz(kind, Inputs(kind, 1, with_bombs=kind not in HEAVY), 400)
    assert report.good, str(report)
    assert report.errors > 40
    assert report.peak[0] < 500 * 1024**2, str(report)


def test_the_fuzzer_counts_crashes_hangs_and_other_errors() -> None:
    inputs: Any = [b"fine", b"segfault", b"refuse", b"hang", b"escape", b"shape", b"grow", b"hoard", b"fine"]
    report = fuzz("table", inputs, len(inputs), make=crashing, bound_s=0.5)
    assert (report.arrays, report.errors, report.other, report.no_memory) == (3, 2, 2, 1)
    assert (list(report.crashes), report.slow) == ([1], [3])
    assert "string_at" in report.crashes[1]
    assert 40 < report.peak[0] / 1024**2 < 500
    assert report.peak[1] == 6
    assert not report.good
    for words in ("input 4: KeyError", "input 5: AssertionError", "crash at input 1", "too slow: input 3"):
        assert words in str(report)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Transform]]:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    return {kind: samples.transforms(kind, folder) for kind in BUILT_IN}


GOOD = [(kind, data) for kind in BUILT_IN for data in samples.good(kind)]
CHANGES = st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6)


@pytest.mark.filterwarnings("ignore")  # as in a worker: Pillow warns of damage and reads on
@pytest.mark.leaves("environment")  # the text transform sets TOKENIZERS_PARALLELISM for its process
@settings(max_examples=400, deadline=None)
@given(st.sampled_from(GOOD), CHANGES, st.integers(0, 3))
def test_real_files_changed_anywhere_end_in_arrays_or_transform_errors(
    made: dict[str, list[Transform]], good: tuple[str, bytes], changes: list[tuple[int, bytes]], which: int
) -> None:
    kind, data = good
    for at, new in changes:
        data = data[: at % len(data)] + new + data[at % len(data) + len(new) :]
    transform = made[kind][which % len(made[kind])]
    try:
        check_arrays(transform, transform(data), kind)
    except TransformError:
        pass
