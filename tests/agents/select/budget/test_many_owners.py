"""Any order of rounds, gifts, answers, crashes and zombies keeps every limit in sum, and loses nothing."""

from math import floor

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from siftstream.agents.select.budget.settings import BudgetSettings
from siftstream.agents.select.settings import OutstandingSettings
from siftstream.schemas import Reason
from tests.agents.select.budget.world import World

PARTITION = st.integers(0, 3)
AMOUNT = st.integers(1, 12)
CLASS = st.sampled_from(["cat", "dog"])


class ManyOwners(RuleBasedStateMachine):
    """Partitions, each with an owner; the log of shares is one."""

    world: World

    @initialize(
        partitions=st.integers(2, 4),
        limits=st.sampled_from(["total", "hour", "quota", "queue", "all"]),
        amount=st.integers(1, 15),
        clock=st.sampled_from(["event", "processing"]),
    )
    def begin(self, partitions: int, limits: str, amount: int, clock: str) -> None:
        on = {limits} if limits != "all" else {"total", "hour", "quota", "queue"}
        budget = BudgetSettings.model_validate({
            "clock": clock,
            "total": 2 * amount if "total" in on else None,
            "per_hour": amount if "hour" in on else None,
            "per_class": {"cat": amount, "*": 2} if "quota" in on else {},
        })  # fmt: skip
        queue = OutstandingSettings(low=1, high=amount) if "queue" in on else OutstandingSettings()
        self.world = World(budget, queue, partitions)

    def _place(self, partition: int) -> int:
        return partition % self.world.partitions

    @rule(partition=PARTITION, wanted=AMOUNT, prediction=CLASS, audit=st.booleans())
    def a_round(self, partition: int, wanted: int, prediction: str, audit: bool) -> None:
        reason = Reason.AUDIT if audit else Reason.STRATEGY
        self.world.choose(self._place(partition), wanted, prediction, reason)

    @rule(partition=PARTITION, wanted=AMOUNT, prediction=CLASS, write=st.booleans())
    def a_round_that_wants_more(self, partition: int, wanted: int, prediction: str, write: bool) -> None:
        place = self._place(partition)
        chosen = self.world.choose(place, wanted, prediction, Reason.STRATEGY)
        self._share(place, wanted=wanted - chosen, idle=False, write=write)

    @rule(partition=PARTITION, wanted=st.integers(0, 3), idle=st.booleans(), write=st.booleans())
    def shares_move(self, partition: int, wanted: int, idle: bool, write: bool) -> None:
        self._share(self._place(partition), wanted=wanted, idle=idle, write=write)

    def _share(self, place: int, *, wanted: int, idle: bool, write: bool) -> None:
        owner = self.world.owners[place]
        self.world.share(owner, wanted=wanted, idle=idle)
        if write:
            self.world.write(owner)

    @rule(partition=PARTITION, count=st.integers(1, 8))
    def an_owner_reads_on(self, partition: int, count: int) -> None:
        self.world.read(self.world.owners[self._place(partition)], count)

    @rule()
    def all_read_and_write(self) -> None:
        self.world.calm()

    @rule(partition=PARTITION, index=st.integers(0, 50))
    def a_choice_is_recalled(self, partition: int, index: int) -> None:
        self.world.recall(self._place(partition), index)

    @rule(partition=PARTITION, index=st.integers(0, 50))
    def a_choice_is_answered(self, partition: int, index: int) -> None:
        self.world.answer(self._place(partition), index)

    @rule(seconds=st.sampled_from([1.0, 60.0, 240.0, 700.0, 3600.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds

    @rule(partition=PARTITION, choices_first=st.booleans(), wrote=st.booleans(), dead=st.booleans())
    def another_owner(self, partition: int, choices_first: bool, wrote: bool, dead: bool) -> None:
        """The old one's last rows land before the new one's fence, or are lost, or come later."""
        place, old = self._place(partition), self.world.owners[self._place(partition)]
        between, old.unwritten = (old.unwritten, []) if wrote else ([], old.unwritten)
        self.world.owners[place] = self.world.start(place, choices_first=choices_first, between=between)
        if not dead:
            self.world.zombies.append(old)

    @rule(partition=PARTITION, before=st.booleans(), prediction=CLASS)
    def an_owner_gives_all_while_it_is_replaced(self, partition: int, before: bool, prediction: str) -> None:
        """Others are known to want all there is; its gifts land before the next one's fence, or after."""
        world, place = self.world, self._place(partition)
        old = world.owners[place]
        for p, owner in enumerate(world.owners):
            if p != place:
                owner.budget.room(prediction, {})
                world.share(owner, wanted=100, idle=False)
        world.calm()
        world.share(old, wanted=0, idle=True)
        world.owners[place] = world.start(place, between=old.unwritten if before else None)
        if not before:
            world.write(old)
        world.calm()
        for p in range(world.partitions):
            world.choose(p, 100, prediction, Reason.STRATEGY)

    @precondition(lambda self: bool(self.world.zombies))
    @rule(index=st.integers(0, 9), wanted=st.integers(0, 5), idle=st.booleans(), reads=st.integers(0, 3))
    def a_zombie_writes(self, index: int, wanted: int, idle: bool, reads: int) -> None:
        zombie = self.world.zombies[index % len(self.world.zombies)]
        self.world.read(zombie, reads)
        self.world.share(zombie, wanted=wanted, idle=idle)
        self.world.write(zombie)

    @rule(partition=PARTITION, choices_first=st.booleans())
    def the_logs_give_the_same_budget(self, partition: int, choices_first: bool) -> None:
        world, place = self.world, self._place(partition)
        world.calm()
        old, before = world.owners[place].budget, world.left(place)
        world.owners[place] = world.start(place, choices_first=choices_first)
        new = world.owners[place].budget
        assert world.left(place) == before
        for prediction in ("cat", "dog"):
            assert new.room(prediction, {}) == old.room(prediction, {})
        assert (new.waiting, new.refill()) == (old.waiting, old.refill())

    @rule(partition=PARTITION)
    def one_alone_can_get_all_that_is_left(self, partition: int) -> None:
        world, place = self.world, self._place(partition)
        budget, queue = world.settings, world.outstanding
        if budget.per_hour is not None:
            world.now += 3600.0  # tokens that were lent are not passed on, they die
        world.all_to(place)
        limits = [budget.per_hour] if budget.per_hour is not None else []
        if budget.total is not None:
            limits.append(budget.total - len(world.standing))
        if queue.high is not None:
            limits.append(queue.high - sum(map(len, world.waiting.values())))
        if limits:
            assert world.left(place) == min(limits)
        elif budget.per_class:
            for _ in range(world.partitions + 1):
                world.choose(place, 1000, "cat", Reason.STRATEGY)
                world.all_to(place)
            assert self._quota("cat") == budget.per_class["cat"]

    def _quota(self, prediction: str) -> int:
        standing = self.world.standing.values()
        return sum(one.prediction == prediction and one.reason is not Reason.AUDIT for one in standing)

    @invariant()
    def the_total_holds(self) -> None:
        total = self.world.settings.total
        assert total is None or len(self.world.standing) <= total

    @invariant()
    def quotas_hold(self) -> None:
        if self.world.settings.per_class:
            assert self._quota("cat") <= self.world.settings.per_class["cat"]
            assert self._quota("dog") <= 2

    @invariant()
    def the_queue_holds(self) -> None:
        high = self.world.outstanding.high
        assert high is None or sum(map(len, self.world.waiting.values())) <= high

    @invariant()
    def any_interval_keeps_to_the_bucket(self) -> None:
        """From choice i to choice j no more were made than tokens lived in between."""
        amount = self.world.settings.per_hour
        if amount is None:
            return
        issued = [floor(at * amount / 3600.0) for at in self.world.spent_at]
        most = 0
        for index, newest in enumerate(issued):
            most = max(most, newest - index)  # over beginnings i: n(i) - i
            # n(j) - n(i) + amount >= j - i + 1 for every i <= j
            assert newest - index + amount - 1 >= most


TestManyOwners = ManyOwners.TestCase
TestManyOwners.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
