"""IO binding, run on the CPU: the same answers from buffers that are used again."""

import ctypes
import gc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from siftstream.models.binding import SHAPES, BoundRuns
from siftstream.models.cnn import spare_cnn
from siftstream.models.encoder import Encoder
from siftstream.models.pinned import Pinned
from siftstream.models.settings import RuntimeSettings
from siftstream.models.spare import spare_encoder
from siftstream.schemas.arrays import ArraySpec
from siftstream.schemas.errors import InferenceError
from tests.models.onnx_parts import FakeGpu

SHAPE = (3, 32, 32)
WHOLE = RuntimeSettings(precision="fp32", providers=("cuda",))


def images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *SHAPE)).astype(np.uint8)


@pytest.fixture
def pair() -> tuple[Encoder, Encoder]:
    onnx = spare_cnn(SHAPE)
    bound = Encoder(onnx, WHOLE, machine=FakeGpu("cuda").machine)
    return bound, Encoder(onnx, providers=("cpu",))


def test_bound_runs_answer_like_plain_ones_and_keep_their_answers(pair: tuple[Encoder, Encoder]) -> None:
    bound, plain = pair
    batches = [images(size, seed) for seed, size in enumerate((4, 7, 4, 1, 7))]
    answers = [bound.embed(batch) for batch in batches]  # the later ones overwrite the buffers of the earlier
    for batch, answer in zip(batches, answers, strict=True):
        np.testing.assert_array_equal(answer, plain.embed(batch))
    assert bound._session.bound_runs == 5


def test_buffers_are_made_once_a_shape_and_the_oldest_shapes_go(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Encoder(spare_cnn(SHAPE), WHOLE, machine=FakeGpu("cuda").machine)
    made: list[int] = []
    make = BoundRuns._buffers

    def noted(runs: Any, inputs: Any) -> Any:
        made.append(len(inputs["input"]))
        return make(runs, inputs)

    monkeypatch.setattr(BoundRuns, "_buffers", noted)
    for size in (4, 4, 5, 4):
        encoder.embed(images(size))
    assert made == [4, 5]
    for size in range(6, 6 + SHAPES):
        encoder.embed(images(size))
    encoder.embed(images(4))
    assert made == [4, 5, *range(6, 6 + SHAPES), 4]


def test_threads_do_not_share_buffers(pair: tuple[Encoder, Encoder]) -> None:
    bound, plain = pair
    batches = [images(5, seed) for seed in range(40)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(bound.embed, batches))
    for batch, answer in zip(batches, answers, strict=True):
        np.testing.assert_array_equal(answer, plain.embed(batch))


def test_several_inputs_and_other_layouts_are_bound_too() -> None:
    specs = {name: ArraySpec((6,), np.dtype(np.int64)) for name in ("ids", "mask")}
    onnx = spare_encoder(specs, dim=8)
    bound = Encoder(onnx, WHOLE, machine=FakeGpu("cuda").machine)
    batch = {"ids": np.arange(24).reshape(6, 4).T[:, [0, 1, 2, 3, 4, 5]], "mask": np.ones((4, 6), np.int64)}
    expected = Encoder(onnx, providers=("cpu",)).embed(batch)
    np.testing.assert_allclose(bound.embed(batch), expected)


def test_what_does_not_fit_is_refused_before_it_is_copied(pair: tuple[Encoder, Encoder]) -> None:
    with pytest.raises(InferenceError, match="do not fit together"):
        pair[0].embed(np.zeros((2, 3, 8, 8), np.uint8))


class CudaRuntime:
    """Notes which addresses are locked."""

    def __init__(self, status: int = 0) -> None:
        self.locked: set[int | None] = set()
        self._status = status

    def cudaHostRegister(self, address: ctypes.c_void_p, size: ctypes.c_size_t, flags: int) -> int:
        if not self._status:
            self.locked.add(address.value)
        return self._status

    def cudaHostUnregister(self, address: ctypes.c_void_p) -> int:
        self.locked.remove(address.value)
        return 0


def test_pages_are_locked_while_the_buffer_lives() -> None:
    runtime: Any = CudaRuntime()
    buffer = Pinned(np.zeros(10, np.uint8), runtime)
    assert buffer.locked
    assert runtime.locked == {buffer.array.ctypes.data}
    del buffer
    gc.collect()
    assert not runtime.locked


def test_pages_that_cannot_be_locked_are_used_as_they_are() -> None:
    runtime: Any = CudaRuntime(status=2)
    assert not Pinned(np.zeros(10, np.uint8), runtime).locked
