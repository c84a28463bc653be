"""What a strategy is given of the window and beside it, and who chooses where it cannot."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from siftstream.agents.select.candidates import Known, comparable, seen_by
from siftstream.agents.select.chosen import Chosen, Held
from siftstream.agents.select.labels import Labels
from siftstream.agents.select.rounds import Place, Rounds
from siftstream.agents.select.settings import SelectSettings
from siftstream.agents.select.window.window import Window
from siftstream.models.head import Head
from siftstream.schemas import Reason, Scores, Selected, Slice, TrainingLabel, Trigger
from siftstream.strategies import Family, Selection, Strategy, get_strategy
from siftstream.strategies import Window as Candidates
from siftstream.streams.record import Record

CLASSES = ["a", "b", "c"]


PLACE = Place(partition=0, number=0, trigger=Trigger.COUNT, now=0.0)


def filled(
    count: int, *, version: str = "v1", newer: int = 0, members: int = 2, order: list[int] | None = None
) -> Window:
    """A full window, the last `newer` rows of which are of another encoder."""
    rng = np.random.default_rng(count)
    rows = order or list(range(count))
    ids = [f"s{n}" for n in rows]
    metadata = [{"site": f"s{n % 2}", "score": str(n / 4)} if n != 3 else {"site": "s1"} for n in rows]
    probs = rng.dirichlet(np.ones(3), (count, members)).astype(np.float32)[rows]
    emb = rng.normal(size=(count, 4)).astype(np.float16)[rows]
    window = Window(count)
    for offset, part in enumerate((slice(0, count - newer), slice(count - newer, count))):
        if ids[part]:
            batch = Scores(
                ids[part], ids[part], np.zeros(len(ids[part])), metadata[part], probs[part], emb[part],
                model_version=version, encoder="new" if offset else "e",
            )  # fmt: skip
            window.append(offset, batch)
    return window


def held(window: Window, name: str, known: Known | None = None, **parameters: object) -> list[Selected]:
    settings = SelectSettings.model_validate(
        {
            "budget": {"per_round": 3},
            "audit": {"fraction": 0.0},
            "strategy": {"name": name, "parameters": parameters, "cold_start": "random"},
        }
    )
    return Rounds(settings, CLASSES, "spare").hold(window, window.candidates(), 3, PLACE, known or Known())[0]


def test_a_strategy_reads_the_ring_itself_and_its_free_rows_alone() -> None:
    window = filled(6)
    window.take(np.array([1, 4]))
    strategy = get_strategy("k_center")
    seen = seen_by(
        strategy,
        window,
        comparable(strategy, window, window.candidates(), 1),
        Reason.STRATEGY,
        Known(rounds={7: Held("margin", "v0"), 8: Held("random", "spare", Reason.COLD_START)}),
        partition=2,
    )
    assert len(seen) == 4
    assert seen.emb_BD.tolist() == window.embeddings[[0, 2, 3, 5]].tolist()
    assert seen.covered_ND.tolist() == window.embeddings[[1, 4]].tolist()
    assert seen.keys_B.tolist() == window.keys[[0, 2, 3, 5]].tolist()
    assert (seen.progress.round, seen.progress.partition) == (1, 2)


def test_labels_of_taken_rows_reach_a_strategy_with_what_the_model_says_of_them() -> None:
    window = filled(6)
    window.take(np.array([1, 2, 4]))
    seen = seen_by(
        get_strategy("k_center"), window, window.candidates(), Reason.STRATEGY,
        Known({"s1": 2, "s4": 0, "gone": 1}), partition=0,
    )  # fmt: skip
    assert seen.labelled is not None
    assert seen.labelled.classes_L.tolist() == [2, 0]
    assert seen.labelled.emb_LD.tolist() == window.embeddings[[1, 4]].tolist()
    np.testing.assert_allclose(seen.labelled.probs_LC, window.probs[[1, 4]].mean(axis=1))


def test_the_live_head_is_given_where_it_scored_the_newest_row_with_its_temperature_taken_in() -> None:
    window = filled(4)
    head = Head(np.ones((1, 4, 3), np.float32), np.ones((1, 3), np.float32), temperature=2.0)
    strategy = get_strategy("k_center")
    for version, known in (("v1", True), ("v2", False)):
        seen = seen_by(
            strategy, window, window.candidates(), Reason.STRATEGY, Known(live=(version, head)), partition=0
        )
        assert (seen.head is not None) is known
        if seen.head is not None:
            assert seen.head.weights_MDC.tolist() == (head.weights_MDC / 2).tolist()


def test_labels_forget_what_is_taken_back_or_held_out() -> None:
    labels = Labels(CLASSES)
    for name, label, part in [
        ("x", "b", Slice.TRAIN), ("y", "c", Slice.AUDIT), ("z", "a", Slice.TRAIN), ("z", None, Slice.TRAIN),
        ("w", "no class of ours", Slice.TRAIN),
    ]:  # fmt: skip
        told = TrainingLabel(sample_id=name, uri="file:///x", label=label, slice=part)
        labels.fold(Record("labelled", 0, 0, told.key, told.encode()))
    assert dict(labels.known(0)) == {"x": 1}


def test_each_round_is_remembered_by_what_chose_in_it_and_not_by_its_audit() -> None:
    chosen = Chosen()
    for number, (name, reason) in enumerate(
        [("random", Reason.AUDIT), ("margin", Reason.STRATEGY), ("typiclust", Reason.COLD_START)]
    ):
        one = Selected(
            sample_id=f"s{number}", uri="file:///x", partition=3, round=number // 2, round_size=2, rank=0,
            score=0.0, strategy=name, reason=reason, model_version=f"v{number}", position=0, seed=0,
        )  # fmt: skip
        chosen.note(one)
    assert chosen.rounds == {
        0: Held("margin", "v1"),
        1: Held("typiclust", "v2", Reason.COLD_START),
    }


def test_a_strategy_that_lacks_something_leaves_the_round_to_the_cold_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = held(filled(9), "margin", class_weight="balanced")
    assert {(one.strategy, one.reason) for one in made} == {("random", Reason.COLD_START)}
    assert "needs labelled" in caplog.text
    window = filled(9)
    window.take(np.array([0]))
    made = held(window, "margin", Known({"s0": 1}), class_weight="balanced")
    assert {(one.strategy, one.reason) for one in made} == {("margin", Reason.STRATEGY)}


@dataclass(frozen=True)
class Broken(Strategy):
    """Fails."""

    name: ClassVar[str] = "broken"
    family: ClassVar[Family] = Family.BASELINE

    def choose(self, window: Candidates, k: int, rng: np.random.Generator) -> Selection:
        raise ZeroDivisionError("a bug of a plug-in")


def test_a_plug_in_that_fails_leaves_the_round_to_another_and_is_told_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = Rounds(SelectSettings(), CLASSES, "spare")
    monkeypatch.setattr(rounds.picker, "_strategy", Broken())
    window = filled(50)
    for _ in range(2):
        assert len(rounds.hold(window, window.candidates(), 20, PLACE)[0]) == 20
    assert caplog.text.count("broken failed") == 1


def test_metadata_that_is_a_number_is_a_column_and_ranks_by_it_where_a_row_lacks_it() -> None:
    window = filled(5)
    strategy = get_strategy("score_column", column="score")
    seen = seen_by(strategy, window, window.candidates(), Reason.STRATEGY, Known(), partition=0)
    assert set(seen.columns) == {"score"}
    np.testing.assert_array_equal(seen.columns["score"], [0.0, 0.25, 0.5, np.nan, 1.0])
    made = held(window, "score_column", column="score")
    assert [(one.sample_id, one.score) for one in made] == [("s4", 1.0), ("s2", 0.5), ("s1", 0.25)]


def test_the_same_samples_in_another_order_of_the_log_give_the_same_choice() -> None:
    order = np.random.default_rng(0).permutation(12).tolist()
    for strategy in ("margin", "k_center", "random"):
        first, second = held(filled(12), strategy), held(filled(12, order=order), strategy)
        assert [pick.sample_id for pick in first] == [pick.sample_id for pick in second]


@pytest.mark.parametrize(("newer", "size", "expected"), [(30, 3, "new"), (29, 3, "e"), (29, 2, "new")])
def test_embeddings_are_compared_within_the_newest_encoder_that_has_ample_rows(
    newer: int, size: int, expected: str
) -> None:
    window = filled(100, newer=newer)
    slots = comparable(get_strategy("k_center"), window, window.candidates(), size)
    assert {window.encoder_of(slot) for slot in slots} == {expected}
    assert len(comparable(get_strategy("margin"), window, window.candidates(), size)) == 100


def test_a_schedule_begins_when_the_cold_start_is_over() -> None:
    steps = [{"strategy": "margin", "rounds": 2}, {"strategy": "k_center"}]
    cold = {n: Held("random", "spare", Reason.COLD_START) for n in range(9)}
    for held_before, expected in ((1, "margin"), (2, "k_center")):
        rounds = cold | {9 + n: Held("margin", "v1") for n in range(held_before)}
        made = held(filled(9), "schedule", Known(rounds=rounds), steps=steps)
        assert {one.strategy for one in made} == {expected}


def test_metadata_is_given_of_the_rows_that_may_be_chosen() -> None:
    window = filled(6)
    slots = np.array([1, 4])
    strategy = get_strategy("stratified_by_metadata", key="site")
    seen = seen_by(strategy, window, slots, Reason.STRATEGY, Known(), partition=0)
    assert seen.metadata == [{"site": "s1", "score": "0.25"}, {"site": "s0", "score": "1.0"}]


def of(ids: str, version: str, line: str, *, encoder: str = "e") -> Scores:
    return Scores(
        list(ids), list(ids), np.zeros(len(ids)), [{} for _ in ids],
        np.full((len(ids), 1, 3), 1 / 3, np.float32), np.ones((len(ids), 4), np.float16),
        model_version=version, encoder=encoder, line=line,
    )  # fmt: skip


def all_of(strategy: str, *batches: Scores) -> list[Selected]:
    window = Window(10, line="main")
    for offset, batch in enumerate(batches):
        window.append(offset, batch)
    settings = SelectSettings.model_validate({"audit": {"fraction": 0.0}, "strategy": {"name": strategy}})
    return Rounds(settings, CLASSES, "spare").hold(window, window.candidates(), 6, PLACE)[0]


def test_a_strategy_leaves_rows_alone_that_no_trained_model_scored() -> None:
    made = all_of("margin", of("abc", "spare", "main"), of("def", "v1", "main"))
    assert {one.sample_id for one in made} == set("def")


def test_a_selection_names_the_line_and_version_that_scored_it() -> None:
    made = all_of("margin", of("abc", "v1", "main"), of("def", "c1", "challenger"))
    told = {one.sample_id: (one.model_line, one.model_version) for one in made}
    assert told["a"] == ("main", "v1")
    assert told["f"] == ("challenger", "c1")


def test_a_canary_that_came_last_neither_ends_the_cold_start_nor_narrows_the_choice() -> None:
    cold = all_of("margin", of("abcde", "spare", "main"), of("f", "c1", "challenger"))
    assert {one.reason for one in cold} == {Reason.COLD_START}
    warm = all_of("k-center", of("abcde", "v1", "main"), of("f", "c1", "challenger", encoder="other"))
    assert {one.sample_id for one in warm} == set("abcde")
