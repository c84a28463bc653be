"""The window is the last N distinct samples, and can be rebuilt from its floor."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from siftstream.agents.select.memory import Memory
from siftstream.agents.select.rounds import Rounds
from siftstream.agents.select.settings import SelectSettings
from siftstream.agents.select.window import Window
from siftstream.models.head import Head
from siftstream.schemas import Scores, Selected


def scores(ids: list[str], version: str = "spare", seed: int = 0) -> Scores:
    rng = np.random.default_rng([seed, *(sum(map(ord, name)) for name in ids)])
    probs = rng.dirichlet(np.ones(3), size=(len(ids), 1)).astype(np.float32)
    return Scores(
        ids, [f"file:///{name}" for name in ids], np.zeros(len(ids)), [{} for _ in ids], probs,
        rng.normal(size=(len(ids), 4)).astype(np.float16), model_version=version, encoder="e",
    )  # fmt: skip


logs = st.lists(st.lists(st.integers(0, 40).map(str), min_size=1, max_size=8), min_size=1, max_size=40)


def filled(log: list[list[str]], capacity: int, start: int = 0, seen: int = 0) -> Window:
    window = Window(capacity, seen)
    for offset, ids in enumerate(log):
        if offset >= start:
            row = 0
            while row < len(ids):
                row = window.append(offset, scores(ids), start=row)
    return window


@given(logs, st.integers(1, 20))
def test_the_window_holds_the_last_distinct_samples(log: list[list[str]], capacity: int) -> None:
    expected: list[str] = []
    for name in (name for record in log for name in record):
        if name not in expected[-capacity:]:
            expected.append(name)
    assert [name for name, _ in filled(log, capacity).digest()] == expected[-capacity:]


@given(logs, st.integers(1, 20), st.data())
def test_a_window_rebuilt_from_any_floor_equals_the_one_that_lived(
    log: list[list[str]], capacity: int, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, len(log)))
    floor, seen = filled(log[:cut], capacity).floor()
    rebuilt, lived = filled(log, capacity, floor, seen), filled(log, capacity)
    assert rebuilt.digest() == lived.digest()
    assert rebuilt.seen == lived.seen
    assert rebuilt.floor() == lived.floor()


class Life:
    """Select without Kafka: a log, the topic it writes, and the floor it commits."""

    def __init__(self, log: list[list[str]], settings: SelectSettings) -> None:
        self.log, self.settings = log, settings
        self.rounds = Rounds(settings, ["a", "b", "c"], 1, "spare")
        self.selected: list[Selected] = []
        self.committed = (0, "")

    def run(self, until: int, lose_commit: bool = False) -> Window:
        """Live from the last commit up to record `until`, then die."""
        floor, metadata = self.committed
        memory = Memory.decode(metadata)
        window = Window(self.settings.window.size, memory.seen)
        done = max([memory.done, *(one.round for one in self.selected)])
        for offset in range(floor, until):
            ids, row = self.log[offset], 0
            while row < len(ids):
                taken = {one.sample_id for one in self.selected}
                row = window.append(
                    offset, scores(ids, "v1"), taken, start=row, at_most=self.rounds.until_due(window)
                )  # fmt: skip
                number = self.rounds.due(window, done)
                if number is not None:
                    done = number
                    self.selected += self.rounds.hold(window, partition=0, number=number, spent=len(taken))
        if not lose_commit:
            at, seen = window.floor()
            self.committed = (at, Memory(seen, done, window.head, len(window)).encode())
        return window


@given(
    logs,
    st.integers(1, 20),
    st.integers(1, 6),
    st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=6),
)
def test_a_life_with_deaths_chooses_what_an_undisturbed_life_chooses(
    log: list[list[str]], capacity: int, every: int, deaths: list[tuple[int, bool]]
) -> None:
    settings = SelectSettings.model_validate(
        {"window": {"size": capacity}, "trigger": {"every": every}, "budget": {"per_round": 2, "total": 9}}
    )
    quiet, stormy = Life(log, settings), Life(log, settings)
    undisturbed = quiet.run(len(log))
    for at, lose_commit in sorted(deaths):
        stormy.run(max(stormy.committed[0], min(at, len(log))), lose_commit)
    rebuilt = stormy.run(len(log))
    assert rebuilt.digest() == undisturbed.digest()
    told = [(one.sample_id, one.round, one.rank, one.reason) for one in stormy.selected]
    assert told == [(one.sample_id, one.round, one.rank, one.reason) for one in quiet.selected]
    assert len({one.sample_id for one in quiet.selected}) == len(quiet.selected) <= 9


def test_rescoring_changes_probabilities_and_never_membership() -> None:
    window = filled([["a", "b"], ["c"]], 10)
    before = window.digest()
    head = Head(np.zeros((2, 4, 3), np.float32), np.zeros((2, 3), np.float32))
    assert window.rescore("v2", "e", head, {"spare"}) == 3
    assert window.digest() == before
    assert window.probs.shape == (10, 2, 3)
    assert window.versions[0] == "v2"
    assert window.rescore("v3", "another encoder", head, {"v2"}) == 0


def test_the_audit_slice_is_uniform_with_the_probability_it_names() -> None:
    names = [str(i) for i in range(20)]
    counts = dict.fromkeys(names, 0)
    trials = 2_000
    for seed in range(trials):
        settings = SelectSettings.model_validate(
            {"trigger": {"every": 20}, "budget": {"per_round": 4}, "audit": {"fraction": 0.5}, "seed": seed}
        )
        window = filled([names], 100)
        made = Rounds(settings, ["a", "b", "c"], 1, "spare").hold(window, partition=0, number=0, spent=0)
        for one in made:
            if one.reason == "audit":
                assert one.inclusion_probability == 0.1
                counts[one.sample_id] += 1
    expected = trials * 0.1
    chi_square = sum((count - expected) ** 2 / expected for count in counts.values())
    assert chi_square < 43.8  # 0.1 % point of chi-square with 19 degrees of freedom


def test_a_strategy_leaves_rows_alone_that_no_trained_model_scored() -> None:
    window = Window(100)
    window.append(0, scores(["a", "b", "c"], "spare"))
    window.append(1, scores(["d", "e", "f"], "v1"))
    settings = SelectSettings.model_validate({"trigger": {"every": 6}, "audit": {"fraction": 0.0}})
    made = Rounds(settings, ["a", "b", "c"], 1, "spare").hold(window, partition=0, number=0, spent=0)
    assert {one.sample_id for one in made} == {"d", "e", "f"}


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
    assert window.versions[:4] == ["v2", "v2", "v1", "v2"]
    assert window.probs[2].tolist() == np.full((1, 3), 1 / 3, np.float32).tolist()


def test_a_canary_of_another_shape_leaves_the_main_lines_rows_as_they_are() -> None:
    window = Window(10, line="main")
    window.append(0, of(["a"], "v1", "main"))
    window.append(1, of(["b"], "c1", "challenger", members=5, dim=9, encoder="other"))
    window.append(2, of(["c"], "v1", "main"))
    assert window.probs.shape == (10, 1, 3)
    assert window.embeddings[:3].tolist() == [[1] * 4, [0] * 4, [1] * 4]
    assert window.encoders[:3] == ["e", "", "e"]  # without an embedding it is of no encoder here
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


def chosen(window: Window, strategy: str) -> list[Selected]:
    settings = SelectSettings.model_validate(
        {"trigger": {"every": 6}, "audit": {"fraction": 0.0}, "strategy": {"name": strategy}}
    )
    return Rounds(settings, ["a", "b", "c"], 1, "spare").hold(window, partition=0, number=0, spent=0)


def test_a_selection_names_the_line_and_version_that_scored_it() -> None:
    window = Window(10, line="main")
    window.append(0, of(["a", "b", "c"], "v1", "main"))
    window.append(1, of(["d", "e", "f"], "c1", "challenger"))
    told = {one.sample_id: (one.model_line, one.model_version) for one in chosen(window, "margin")}
    assert told["a"] == ("main", "v1")
    assert told["f"] == ("challenger", "c1")


def test_a_canary_that_came_last_neither_ends_the_cold_start_nor_narrows_the_choice() -> None:
    cold = Window(10, line="main")
    cold.append(0, of(["a", "b", "c", "d", "e"], "spare", "main"))
    cold.append(1, of(["f"], "c1", "challenger"))
    assert {one.reason for one in chosen(cold, "margin")} == {"cold-start"}
    warm = Window(10, line="main")
    warm.append(0, of(["a", "b", "c", "d", "e"], "v1", "main"))
    warm.append(1, of(["f"], "c1", "challenger", encoder="other"))
    assert {one.sample_id for one in chosen(warm, "k-center")} == {"a", "b", "c", "d", "e"}
