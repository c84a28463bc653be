"""What a strategy is given of the window and beside it, and who chooses where it cannot."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from siftstream.agents.select.candidates import Known, comparable, seen_by
from siftstream.agents.select.chosen import ChosenBefore, Held
from siftstream.agents.select.labels import Labels
from siftstream.agents.select.rounds import Rounds
from siftstream.agents.select.settings import SelectSettings
from siftstream.agents.select.window import Window
from siftstream.models.head import Head
from siftstream.schemas import Reason, Scores, Selected, Slice, TrainingLabel
from siftstream.strategies import Family, Selection, Strategy, get_strategy
from siftstream.strategies import Window as Candidates
from siftstream.streams.record import Record

CLASSES = ["a", "b", "c"]


def filled(count: int, *, version: str = "v1", encoder: str = "e", members: int = 2) -> Window:
    rng = np.random.default_rng(count)
    ids = [f"s{n}" for n in range(count)]
    window = Window(count)
    window.append(
        0,
        Scores(
            ids, ids, np.zeros(count), [{"site": f"s{n % 2}", "score": str(n / 4)} for n in range(count)],
            rng.dirichlet(np.ones(3), (count, members)).astype(np.float32),
            rng.normal(size=(count, 4)).astype(np.float16), model_version=version, encoder=encoder,
        ),
    )  # fmt: skip
    return window


def held(window: Window, name: str, known: Known | None = None, **parameters: object) -> list[Selected]:
    settings = SelectSettings.model_validate(
        {
            "budget": {"per_round": 3},
            "audit": {"fraction": 0.0},
            "strategy": {"name": name, "parameters": parameters, "cold_start": "random"},
        }
    )
    rounds = Rounds(settings, CLASSES, 1, "spare")
    return rounds.hold(window, partition=0, number=0, spent=0, known=known or Known())


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
    assert dict(labels.known) == {"x": 1}


def test_each_round_is_remembered_by_what_chose_in_it_and_not_by_its_audit() -> None:
    chosen = ChosenBefore()
    for number, (name, reason) in enumerate(
        [("random", Reason.AUDIT), ("margin", Reason.STRATEGY), ("typiclust", Reason.COLD_START)]
    ):
        one = Selected(
            sample_id=f"s{number}", uri="file:///x", partition=3, round=number // 2, round_size=2, rank=0,
            score=0.0, strategy=name, reason=reason, model_version=f"v{number}", position=0, seed=0,
        )  # fmt: skip
        chosen.note(3, one)
    assert chosen.of(3).rounds == {
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
    rounds = Rounds(SelectSettings(), CLASSES, 1, "spare")
    monkeypatch.setattr(rounds, "_strategy", Broken())
    window = filled(50)
    for number in range(2):
        assert len(rounds.hold(window, partition=0, number=number, spent=0)) == 20
    assert caplog.text.count("broken failed") == 1


def test_metadata_that_is_a_number_is_a_column_and_ranks_by_it_where_a_row_lacks_it() -> None:
    window = filled(5)
    window.metadata[3] = {"site": "s1"}
    strategy = get_strategy("score_column", column="score")
    seen = seen_by(strategy, window, window.candidates(), Reason.STRATEGY, Known(), partition=0)
    assert set(seen.columns) == {"score"}
    np.testing.assert_array_equal(seen.columns["score"], [0.0, 0.25, 0.5, np.nan, 1.0])
    made = held(window, "score_column", column="score")
    assert [(one.sample_id, one.score) for one in made] == [("s4", 1.0), ("s2", 0.5), ("s1", 0.25)]


def test_the_same_samples_in_another_order_of_the_log_give_the_same_choice() -> None:
    one, other = filled(12), filled(12)
    order = np.random.default_rng(0).permutation(12)
    for name in ("probs", "embeddings", "keys"):
        setattr(other, name, getattr(one, name)[order])
    other.ids = [one.ids[row] for row in order]
    for strategy in ("margin", "k_center", "random"):
        first, second = held(one, strategy), held(other, strategy)
        assert [pick.sample_id for pick in first] == [pick.sample_id for pick in second]
        one.state[:] = other.state[:] = 1


@pytest.mark.parametrize(("newer", "size", "expected"), [(30, 3, "new"), (29, 3, "old"), (29, 2, "new")])
def test_embeddings_are_compared_within_the_newest_encoder_that_has_ample_rows(
    newer: int, size: int, expected: str
) -> None:
    window = filled(100, encoder="old")
    for slot in range(100 - newer, 100):
        window.encoders[slot] = "new"
    slots = comparable(get_strategy("k_center"), window, window.candidates(), size)
    assert {window.encoders[slot] for slot in slots} == {expected}
    assert len(comparable(get_strategy("margin"), window, window.candidates(), size)) == 100


def test_a_schedule_begins_when_the_cold_start_is_over() -> None:
    steps = [{"strategy": "margin", "rounds": 2}, {"strategy": "k_center"}]
    cold = {n: Held("random", "spare", Reason.COLD_START) for n in range(9)}
    for held_before, expected in ((1, "margin"), (2, "k_center")):
        rounds = cold | {9 + n: Held("margin", "v1") for n in range(held_before)}
        made = held(filled(9), "schedule", Known(rounds=rounds), steps=steps)
        assert {one.strategy for one in made} == {expected}
