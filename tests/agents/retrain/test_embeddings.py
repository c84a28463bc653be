"""The cache of embeddings: what was kept is found, what is torn is passed over, and it stays in bounds."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from siftstream.agents.retrain.embeddings import Embeddings

A, B = "aa" * 32, "bb" * 32


def keys(*numbers: int) -> list[bytes]:
    return [number.to_bytes(16, "big") for number in numbers]


def vectors(*numbers: int, dim: int = 3) -> NDArray[np.float32]:
    return np.repeat(np.array(numbers, np.float32)[:, None], dim, axis=1)


def blocks(folder: Path, encoder: str = A) -> list[Path]:
    return sorted((folder / encoder).glob("block-*"))


def test_nothing_is_known_at_first_nor_of_another_encoder(tmp_path: Path):
    known = Embeddings(tmp_path)
    assert known.find(A, keys(1)) is None
    known.keep(A, keys(1), vectors(1))
    assert known.find(B, keys(1)) is None
    assert known.find(A, keys(2)) is None


@pytest.mark.parametrize("on_disk", [True, False])
def test_what_was_kept_in_several_runs_is_found_in_any_order(tmp_path: Path, on_disk: bool):
    known = Embeddings(tmp_path / "known")
    known.keep(A, keys(5, 0, 9), vectors(5, 0, 9))
    known.keep(A, keys(256, 7), vectors(256, 7))  # keys that end in a zero byte, too
    found = Embeddings(tmp_path / "known").find(
        A, keys(7, 8, 9, 256, 0), tmp_path / "found.npy" if on_disk else None
    )
    assert found is not None
    assert found[:, 0].tolist() == pytest.approx([7, np.nan, 9, 256, 0], nan_ok=True)
    assert isinstance(found, np.memmap) is on_disk


def test_what_is_known_is_not_kept_twice_and_what_is_missing_not_at_all(tmp_path: Path):
    known = Embeddings(tmp_path)
    known.keep(A, keys(1, 2), vectors(1, 2))
    known.keep(A, keys(2, 1, 1), vectors(20, 10, 10))
    assert len(blocks(tmp_path)) == 1
    emb = vectors(3, 4, 5)
    emb[1] = np.nan
    known.keep(A, keys(5, 4), emb, np.array([2, 1]))
    found = known.find(A, keys(1, 4, 5))
    assert found is not None
    assert found[:, 0].tolist() == pytest.approx([1, np.nan, 5], nan_ok=True)


def test_many_small_blocks_become_one_and_nothing_is_lost(tmp_path: Path):
    known = Embeddings(tmp_path, blocks=4)
    for number in range(30):
        known.keep(A, keys(number, 100 + number), vectors(number, 100 + number))
        assert len(blocks(tmp_path)) <= 5
    found = known.find(A, keys(*range(30), *range(100, 130)))
    assert found is not None
    assert found[:, 0].tolist() == [*range(30), *range(100, 130)]


@pytest.mark.parametrize("spoilt", ["keys.npy", "emb.npy"])
@pytest.mark.parametrize("how", ["cut", "foreign", "gone"])
def test_a_spoilt_block_is_passed_over_and_computed_again(tmp_path: Path, spoilt: str, how: str):
    known = Embeddings(tmp_path)
    known.keep(A, keys(1), vectors(1))
    known.keep(A, keys(2), vectors(2))
    victim = next(b for b in blocks(tmp_path) if np.load(b / "emb.npy")[0, 0] == 1) / spoilt
    if how == "cut":
        os.truncate(victim, victim.stat().st_size - 4)
    elif how == "foreign":
        np.save(victim, np.array([{"evil": 1}], dtype=object), allow_pickle=True)
    else:
        victim.unlink()
    found = known.find(A, keys(1, 2))
    assert found is not None
    assert found[:, 0].tolist() == pytest.approx([np.nan, 2], nan_ok=True)
    known.keep(A, keys(1), vectors(1))
    found = known.find(A, keys(1))
    assert found is not None
    assert found.tolist() == [[1.0, 1.0, 1.0]]


def test_the_encoder_that_was_used_longest_ago_goes_first(tmp_path: Path):
    known = Embeddings(tmp_path, limit=70_000)
    for encoder in (A, B):
        known.keep(encoder, keys(*range(500)), vectors(*range(500), dim=10))
    os.utime(tmp_path / A, (1e9, 1e9))
    os.utime(tmp_path / B, (1e9 + 1, 1e9 + 1))
    known.keep("cc" * 32, keys(*range(500)), vectors(*range(500), dim=10))
    assert known.find(A, keys(1)) is None
    assert known.find(B, keys(1)) is not None
    assert known.find("cc" * 32, keys(1)) is not None


def test_a_limit_of_nothing_keeps_nothing_and_a_folder_that_cannot_be_is_only_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    Embeddings(tmp_path / "none", 0).keep(A, keys(1), vectors(1))
    assert not (tmp_path / "none").exists()
    (tmp_path / "file").write_text("in the way")
    Embeddings(tmp_path / "file").keep(A, keys(1), vectors(1))
    assert "embeddings are not kept" in caplog.text


def test_what_a_killed_trainer_left_half_made_is_not_read_and_goes_in_time(tmp_path: Path):
    known = Embeddings(tmp_path)
    known.keep(A, keys(1), vectors(1))
    half = tmp_path / A / ".half"
    half.mkdir()
    np.save(half / "keys.npy", np.array(keys(2)).view("V16"))
    np.save(half / "emb.npy", vectors(2))
    assert known.find(A, keys(2)) is None
    os.utime(half, (1e9, 1e9))
    known.keep(A, keys(3), vectors(3))
    assert not half.exists()


def test_trainers_of_one_machine_share_the_folder_while_all_write_and_merge(tmp_path: Path):
    def write(start: int) -> None:
        mine = Embeddings(tmp_path, blocks=3)
        for number in range(start, start + 12):
            mine.keep(A, keys(number), vectors(number))

    writers = [threading.Thread(target=write, args=(start,)) for start in (0, 100, 200)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    wanted = [start + number for start in (0, 100, 200) for number in range(12)]
    found = Embeddings(tmp_path).find(A, keys(*wanted))
    assert found is not None
    seen = found[:, 0]
    assert set(seen[~np.isnan(seen)].tolist()) <= set(wanted)
    assert (np.isnan(seen) | (seen == wanted)).all()
    assert (~np.isnan(seen)).mean() > 0.8  # it is a cache: a merge may lose what another merged meanwhile
