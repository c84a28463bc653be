"""What a window knows of its rows, and how states and newer scores come in."""

import numpy as np
import pytest

from siftstream.agents.select.window.answers import Stale
from siftstream.agents.select.window.floor import Floor
from siftstream.agents.select.window.state import State
from siftstream.agents.select.window.window import Window
from siftstream.models.head import Head
from siftstream.schemas import Scores
from tests.agents.select.window.batches import scores


def test_a_fresh_window_begins_at_the_floor_that_it_is_given() -> None:
    floor = Floor(offset=9, seen=40, watermark=7.5, source=3)
    window = Window(10, start=floor)
    assert window.floor() == floor
    window.append(9, scores(["a"], [1.0], source=5))
    assert (window.seen, window.watermark) == (41, 7.5)
    assert window.floor() == Floor(9, 40, 7.5, 5)


def test_a_sample_that_left_by_its_age_is_new_when_it_comes_again() -> None:
    window = Window(10, seconds=10)
    window.append(0, scores(["a", "b", "c"], [5.0, 1.0, 11.0]))
    assert [name for name, _ in window.digest()] == ["a", "c"]  # b is 10 s older than the newest
    assert window.mark("b", State.SELECTED) is False
    window.append(1, scores(["b", "a", "d"], [12.0, 12.0, 2.0]))
    assert [name for name, _ in window.digest()] == ["a", "c", "b"]
    assert (window.seen, window.late, len(window)) == (4, 1, 3)


def test_states_say_who_may_be_chosen() -> None:
    window = Window(10)
    told = {"b": State.SELECTED, "c": State.RECALLED, "d": State.LABELLED}
    window.append(0, scores(["a", "b", "c", "d"]), lambda name: told.get(name, State.FREE))
    assert window.candidates().tolist() == [0, 2]
    assert window.taken().tolist() == [1, 3]
    window.take(np.array([0]))
    assert window.mark("b", State.RECALLED)
    assert window.mark("gone", State.RECALLED) is False
    assert window.candidates().tolist() == [1, 2]


def test_scores_made_again_replace_what_is_in_the_window_and_add_nothing() -> None:
    window = Window(3, line="main")
    window.append(0, scores(["a", "b", "c", "d"], line="main", source=7))
    before = window.digest(), window.seen, window.floor()
    again = scores(["a", "d", "b"], [99.0, 99.0, 99.0], version="v2", encoder="f", line="main", again=True)
    assert window.replace(5, again) == 2
    assert (window.digest(), window.seen, window.floor()) == before
    assert (window.head, window.watermark, window.replaced) == (5, 0.0, 2)
    slots = window.slots().tolist()
    assert [window.version_of(slot) for slot in slots] == ["v2", "v1", "v2"]
    assert [window.encoder_of(slot) for slot in slots] == ["f", "e", "f"]
    np.testing.assert_array_equal(window.probs[slots[2]], again.probs[1])
    np.testing.assert_array_equal(window.embeddings[slots[2]], again.embeddings[1])
    assert window.stale("f") == Stale(7, 8)
    assert window.arrived_with(slots[0]) == "v1"


def test_scores_made_again_by_the_main_line_leave_a_canarys_rows_alone() -> None:
    window = Window(3, line="main")
    window.append(0, scores(["a"], line="challenger"))
    window.append(1, scores(["b", "c"], line="main"))
    again = scores(["a", "b", "c"], version="v2", encoder="f", line="main", again=True)
    assert window.replace(2, again) == 2
    slots = window.slots().tolist()
    assert [(window.line_of(slot), window.version_of(slot)) for slot in slots] == [
        ("challenger", "v1"), ("main", "v2"), ("main", "v2"),
    ]  # fmt: skip


def test_stale_rows_are_the_main_lines_rows_of_another_encoder_whose_features_are_known() -> None:
    window = Window(5, line="main")
    window.append(0, scores(["gone"], line="main", source=1))
    window.append(1, scores(["a"], line="main", source=30))
    window.append(2, scores(["b"], line="main", source=20))
    window.append(3, scores(["c"], line="main", source=-1))
    window.append(4, scores(["d"], line="challenger", source=90))
    window.append(5, scores(["x"], encoder="f", line="main", source=99))
    assert window.stale("f") == Stale(20, 31)
    assert window.stale("e") == Stale(99, 100)
    assert Window(5).stale("e") is None


def test_rescoring_changes_probabilities_and_never_membership() -> None:
    window = Window(10)
    window.append(0, scores(["a", "b"], version="spare"))
    window.append(1, scores(["c"], version="spare"))
    before = window.digest()
    head = Head(np.zeros((2, 4, 3), np.float32), np.zeros((2, 3), np.float32))
    assert window.rescore("v2", "e", head, {"spare"}) == 3
    assert window.digest() == before
    assert window.probs.shape == (10, 2, 3)
    assert window.version_of(0) == "v2"
    assert window.is_of_version(window.slots(), "v2").all()
    assert window.rescore("v3", "another encoder", head, {"v2"}) == 0


def test_what_a_head_says_of_a_row_does_not_hang_on_how_many_others_there_are() -> None:
    rng = np.random.default_rng(0)
    head = Head(rng.normal(size=(2, 33, 3)).astype(np.float32), np.zeros((2, 3), np.float32))
    names = [f"s{n}" for n in range(1500)]
    batch = scores(names, dim=33)

    def rescored(first: int) -> bytes:
        window = Window(1500)
        window.append(0, part(batch, first))
        window.rescore("v2", "e", head, {"v1"})
        return window.probs[: 1500 - first].tobytes()

    assert rescored(1499) == rescored(1200)[-24:] == rescored(0)[-24:]


def part(batch: Scores, first: int) -> Scores:
    return Scores(
        batch.sample_ids[first:], batch.uris[first:], batch.event_times[first:], batch.metadata[first:],
        batch.probs[first:], batch.embeddings[first:], model_version="v1", encoder="e",
    )  # fmt: skip


def of(
    ids: list[str], version: str, line: str, *, members: int = 1, dim: int = 4, encoder: str = "e"
) -> Scores:
    probs = np.full((len(ids), members, 3), 1 / 3, np.float32)
    return Scores(
        ids, ids, np.zeros(len(ids)), [{} for _ in ids], probs, np.ones((len(ids), dim), np.float16),
        model_version=version, encoder=encoder, line=line,
    )  # fmt: skip


def test_a_main_lines_head_rescores_the_main_lines_rows_alone() -> None:
    window = Window(10, line="main")
    window.append(0, of(["a", "b"], "v1", "main"))
    window.append(1, of(["c"], "v1", "challenger"))  # the same encoder, even the same version's name
    window.append(2, of(["d"], "v1", ""))  # of before lines were told
    head = Head(np.zeros((1, 4, 3), np.float32), np.array([[5, 0, 0]], np.float32))
    assert window.rescore("v2", "e", head, {"v1"}) == 3
    assert [window.version_of(slot) for slot in range(4)] == ["v2", "v2", "v1", "v2"]
    assert window.probs[2].tolist() == np.full((1, 3), 1 / 3, np.float32).tolist()
    assert window.newest(np.array([0, 1, 2])) == 1
    assert window.newest(np.array([2])) == 2


def test_a_canary_of_another_shape_leaves_the_main_lines_rows_as_they_are() -> None:
    window = Window(10, line="main")
    window.append(0, of(["a"], "v1", "main"))
    window.append(1, of(["b"], "c1", "challenger", members=5, dim=9, encoder="other"))
    window.append(2, of(["c"], "v1", "main"))
    assert window.probs.shape == (10, 1, 3)
    assert window.embeddings[:3].tolist() == [[1] * 4, [0] * 4, [1] * 4]
    encoders = [window.encoder_of(slot) for slot in range(3)]
    assert encoders == ["e", "", "e"]  # without an embedding it is of no encoder here
    assert np.allclose(window.probs[1], 1 / 3)


def test_a_window_that_begins_with_a_canary_takes_the_main_lines_shape_when_it_comes() -> None:
    window = Window(10, line="main")
    window.append(0, of(["b"], "c1", "challenger", members=5, dim=9, encoder="other"))
    window.append(1, of(["a"], "v1", "main"))
    assert (window.probs.shape, window.embeddings.shape) == ((10, 1, 3), (10, 4))
    assert np.allclose(window.probs[0], 1 / 3)


def test_a_head_that_answers_no_numbers_rescores_nothing() -> None:
    window = Window(10, line="main")
    window.append(0, of(["a"], "v1", "main"))
    overflowing = Head(np.full((1, 4, 3), 3e38, np.float32), np.zeros((1, 3), np.float32))
    with np.errstate(all="ignore"):
        assert window.rescore("v2", "e", overflowing, {"v1"}) == 0
    assert np.isfinite(window.probs).all()


@pytest.mark.parametrize("whole", [True, False])
def test_texts_outlive_their_records_and_keep_metadata(whole: bool) -> None:
    window, names = Window(3000), [f"s{n}" for n in range(3000)]
    for offset, start in enumerate(range(0, 3000, 250)):
        ids = names[start : start + 250] if whole else [*names[start : start + 250], names[max(0, start - 1)]]
        batch = Scores.decode(scores(ids).encode())
        if offset % 2:
            batch = scores(ids)
        window.append(offset, batch)
    slots = np.random.default_rng(0).permutation(3000)
    assert window.ids_of(slots) == [names[slot] for slot in slots.tolist()]
    assert window.metadatas_of(slots) == [{"name": names[slot]} for slot in slots.tolist()]
    assert (window.uri_of(2999), window.metadata_of(1)) == ("file:///s2999", {"name": "s1"})
