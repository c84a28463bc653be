"""Claims are granted by their order in the log, whoever writes them and whoever dies."""

from dataclasses import dataclass, field
from itertools import pairwise, permutations
from typing import Any

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from siftstream.agents.retrain.claims import ended, interrupted, superseded
from siftstream.agents.retrain.reasons import Reasons
from siftstream.agents.retrain.runs import Runs
from siftstream.agents.retrain.settings import RetrainSettings
from siftstream.schemas import Cause, ModelVersion, RunState, TrainingRun, VersionStatus

LEASE, MIN_NEW, SUPERSEDE = 30.0, 5, 12
SETTINGS = RetrainSettings(min_new_labels=MIN_NEW, min_labels=2, lease=LEASE, supersede_after=SUPERSEDE)


def claim(name: str, after: str | None, upto: int = 0, **more: Any) -> TrainingRun:
    return TrainingRun(
        line="main", version=name, trainer=name.rpartition("-")[0], after=after, upto=(upto,), **more
    )


def told(run: TrainingRun, state: RunState) -> TrainingRun:
    return run.model_copy(update={"state": state})


def folded(*records: TrainingRun) -> Runs:
    runs = Runs("main")
    for record in records:
        runs.hear(record)
    return runs


def test_of_two_claims_after_the_same_run_the_first_in_the_log_is_granted() -> None:
    first, second = claim("a-0001", None), claim("b-0001", None)
    runs = folded(first, second)
    assert runs.is_granted(first)
    assert not runs.is_granted(second)
    assert runs.find("b-0001") is None


def test_a_claim_of_the_same_name_from_an_earlier_life_is_not_taken_for_this_one() -> None:
    late, mine = claim("a-0001", None, 5), claim("a-0001", None, 7)
    runs = folded(late, mine)
    assert runs.is_granted(late)
    assert not runs.is_granted(mine)


def test_a_lost_name_may_be_claimed_again() -> None:
    a, b = claim("a-0001", None), claim("b-0001", None)
    again = claim("b-0001", "a-0001")
    runs = folded(a, b, again)
    assert runs.is_granted(again)
    assert runs.next_name("b", []) == "b-0002"


def test_a_run_that_is_over_stays_over() -> None:
    a = claim("a-0001", None)
    runs = folded(a, told(a, RunState.DONE), told(a, RunState.RUNNING))
    assert runs.unfinished("a") == []


def test_other_lines_are_not_heard() -> None:
    assert folded(claim("a-0001", None).model_copy(update={"line": "other"})).last is None


def test_after_compaction_the_chain_is_the_same() -> None:
    """The winner's last word lies behind its follower's, and behind the claim that lost against it."""
    a, lost, b = claim("a-0001", None), claim("c-0001", None), claim("b-0001", "a-0001")
    whole = folded(a, lost, told(a, RunState.RUNNING), b, told(b, RunState.DONE), told(a, RunState.DONE))
    compacted = folded(lost, told(b, RunState.DONE), told(a, RunState.DONE))
    assert whole.last == compacted.last
    assert compacted.find("c-0001") is None
    assert [run.version for run in compacted.since("a-0001")] == ["b-0001"]


def test_compaction_may_put_the_winner_behind_its_follower_and_behind_the_loser() -> None:
    a, b, lost = claim("a-0001", None), claim("b-0001", "a-0001"), claim("c-0001", None)
    runs = folded(b, lost, told(a, RunState.DONE))
    assert runs.last == b
    assert runs.find("c-0001") is None


def test_compaction_may_put_a_chain_in_any_order() -> None:
    x, y, z = claim("a-0001", None), claim("b-0001", "a-0001"), claim("c-0001", "b-0001")
    for order in permutations([told(one, RunState.DONE) for one in (x, y, z)]):
        runs = folded(*order)
        assert runs.last is not None
        assert [run.version for run in runs.back_from(runs.last.version)] == ["c-0001", "b-0001", "a-0001"]


@dataclass
class World:
    """What the logs hold, and a clock."""

    training: list[TrainingRun] = field(default_factory=list[TrainingRun])
    versions: dict[str, ModelVersion] = field(default_factory=dict[str, ModelVersion])
    labels: int = 0
    now: float = 1000.0
    lost: set[float] = field(
        default_factory=set[float]
    )  # times at which a run was truly lost when claimed again

    def write(self, run: TrainingRun) -> None:
        """Append a record; no two are of one time."""
        self.now += 0.001
        self.training.append(run.model_copy(update={"told_at": self.now}))

    def is_lost(self, version: str) -> bool:
        """Whether nothing comes of a run: its child was killed, it has no version, or it is silent."""
        if (made := self.versions.get(version)) is not None:
            return made.killed
        word = [run for run in self.training if run.version == version][-1]
        return word.state in (RunState.FAILED, RunState.SUPERSEDED) or self.now - word.told_at >= LEASE


class Trainer:
    """A trainer as the stage is one, a step at a time; its memory is gone when it dies."""

    def __init__(self, name: str, world: World) -> None:
        self.name, self.world = name, world
        self.alive = False
        self.start()

    def start(self) -> None:
        self.alive = True
        self.read_to = self.upto_ = 0
        self.claimed: TrainingRun | None = None
        self.run: TrainingRun | None = None
        self.runs = Runs("main", clock=lambda: self.world.now)
        self.reasons = Reasons(SETTINGS, "main", self, self.runs, self.world.versions)
        self.read(10**9)
        self.upto_ = self.world.labels
        for run in self.runs.unfinished(self.name):
            version = self.world.versions.get(run.version)
            self.world.write(ended(run, version) if version else interrupted(run))
        self.read(10**9)

    @property
    def training(self) -> int:
        return self.upto_

    @property
    def upto(self) -> tuple[int, ...]:
        return (self.upto_,)

    @property
    def changed(self) -> int:
        last = self.runs.last
        return max(0, self.upto_ - (last.upto[0] if last else 0))

    @property
    def newest(self) -> float:
        return 0.0

    def read(self, most: int) -> None:
        for record in self.world.training[self.read_to : self.read_to + most]:
            self.runs.hear(record)
            self.read_to += 1

    def step(self) -> None:
        """Go one step on: claim, learn whether it was granted, beat, or look whether to stop."""
        if self.claimed is not None:
            self.read(10**9)
            if self.runs.is_granted(self.claimed):
                self.run = self.claimed
            self.claimed = None
        elif self.run is not None:
            why = self.reasons.superseded(self.run)
            word = superseded(self.run, why) if why else told(self.run, RunState.RUNNING)
            self.world.write(word)
            if why:
                self.run = None
                self.read(10**9)
        elif self.reasons.due(self.world.now) is not None:
            self.read(10**9)
            if (reason := self.reasons.due(self.world.now)) is None:
                return
            last = self.runs.last
            self.claimed = claim(
                self.runs.next_name(self.name, self.world.versions), last.version if last else None,
                self.upto_, cause=reason.cause, token=reason.token,
            )  # fmt: skip
            lost = reason.cause is Cause.AGAIN and self.world.is_lost(reason.token)
            self.world.write(self.claimed)
            if lost:
                self.world.lost.add(self.world.training[-1].told_at)

    def publish(self, *, killed: bool = False) -> None:
        """Publish the version; the run is told to be over by `end`, if this trainer lives to tell."""
        assert self.run is not None
        self.world.versions[self.run.version] = ModelVersion(
            line="main", version=self.run.version, classes=("a",), status=VersionStatus.FAILED, killed=killed,
            upto=self.run.upto,
        )  # fmt: skip

    def end(self) -> None:
        """Tell that the run is over."""
        assert self.run is not None
        self.world.write(ended(self.run, self.world.versions[self.run.version]))
        self.run = None
        self.read(10**9)


class Trainers(RuleBasedStateMachine):
    """Some trainers, any of which dies and returns at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(labels=8)
        self.trainers = [Trainer(f"t{number}", self.world) for number in range(3)]

    which = st.integers(0, 2)

    @rule(count=st.integers(1, 9), readers=st.sets(which))
    def labels_come(self, count: int, readers: set[int]) -> None:
        self.world.labels += count
        for number in readers:
            self.one_reads_labels(number, count)

    @rule(which=which, most=st.integers(0, 10))
    def one_reads_labels(self, which: int, most: int) -> None:
        one = self.trainers[which]
        one.upto_ = min(self.world.labels, one.upto_ + most)

    @rule(which=which, most=st.integers(1, 5))
    def one_reads_of_runs(self, which: int, most: int) -> None:
        self.trainers[which].read(most)

    @rule(seconds=st.sampled_from([1.0, 10.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds

    @rule(order=st.lists(which, min_size=1, max_size=6))
    def some_go_on(self, order: list[int]) -> None:
        for number in order:
            if self.trainers[number].alive:
                self.trainers[number].step()

    @precondition(lambda self: any(one.alive and one.run for one in self.trainers))
    @rule(data=st.data(), killed=st.booleans(), dies=st.booleans())
    def one_is_done(self, data: st.DataObject, killed: bool, dies: bool) -> None:
        one = data.draw(st.sampled_from([one for one in self.trainers if one.alive and one.run]))
        one.publish(killed=killed)
        one.end() if not dies else self.dies(one)

    @rule(which=which)
    def one_dies(self, which: int) -> None:
        self.dies(self.trainers[which])

    def dies(self, one: Trainer) -> None:
        one.alive = False

    @rule(which=which)
    def one_begins_anew(self, which: int) -> None:
        if not self.trainers[which].alive:
            self.trainers[which].start()

    def chain(self) -> list[TrainingRun]:
        """The granted claims in their order, by the definition: one after the last granted is granted."""
        granted: list[TrainingRun] = []
        for record in self.world.training:
            if record.state is RunState.CLAIMED and record.after == (
                granted[-1].version if granted else None
            ):
                granted.append(record)
        return granted

    @invariant()
    def every_reader_sees_the_chain_of_the_definition(self) -> None:
        chain = self.chain()
        newest = list({record.version: record for record in self.world.training}.values())
        compacted = [r for r in self.world.training if any(r is kept for kept in newest)]
        for records in (self.world.training, compacted):
            runs = folded(*records)
            assert runs.last is None if not chain else runs.last and runs.last.version == chain[-1].version
            assert all(runs.find(one.version) is not None for one in chain)
            assert len(list(runs.back_from(chain[-1].version if chain else None))) == len(chain)

    @invariant()
    def no_labels_are_learned_twice_for_nothing(self) -> None:
        for before, run in pairwise(self.chain()):
            if run.cause is Cause.AGAIN:
                assert run.token == before.version
                assert run.told_at in self.world.lost
            else:
                assert run.upto[0] - before.upto[0] >= MIN_NEW

    @invariant()
    def names_are_never_used_twice(self) -> None:
        names = [run.version for run in self.chain()]
        assert len(names) == len(set(names))

    def teardown(self) -> None:
        """One trainer is left, and what it needs comes: then the next version appears, of all labels."""
        self.world.labels += 2
        survivor, *others = self.trainers
        for one in others:
            one.alive = False
        if not survivor.alive:
            survivor.start()
        for _ in range(20):
            survivor.read(10**9)
            survivor.upto_ = self.world.labels
            survivor.step()
            if survivor.run is not None and not self.reasons_to_stop(survivor):
                survivor.publish()
                survivor.end()
            self.world.now += LEASE / 2
        chain = self.chain()
        if not chain:
            assert self.world.labels < MIN_NEW
            return
        assert self.world.labels - chain[-1].upto[0] < MIN_NEW
        assert self.settled(chain[-1])

    def reasons_to_stop(self, one: Trainer) -> str:
        return one.reasons.superseded(one.run) if one.run else ""

    def settled(self, run: TrainingRun) -> bool:
        """Whether a run gave a version, if only one that says that its child was killed three times."""
        return run.version in self.world.versions


TestTrainers = Trainers.TestCase
TestTrainers.settings = hypothesis_settings(max_examples=80, stateful_step_count=50, deadline=None)
