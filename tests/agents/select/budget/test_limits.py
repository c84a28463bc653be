"""Each limit by itself, with numbers by hand."""

import pytest

from siftstream.agents.select.budget.budget import Budget
from siftstream.agents.select.budget.settings import BudgetSettings
from siftstream.agents.select.budget.split import Place
from siftstream.agents.select.settings import OutstandingSettings
from siftstream.schemas import Reason
from siftstream.schemas.shares import Share
from tests.agents.select.budget.world import NO_QUEUE, World, choice


def left(budget: Budget, *, seen: int = 10**6, event_time: float = 0.0, now: float = 0.0) -> int:
    return budget.left(seen=seen, event_time=event_time, now=now, most=10**6)


def test_a_round_chooses_no_more_than_per_round() -> None:
    budget = Budget(BudgetSettings(per_round=7), NO_QUEUE, 0, 4)
    assert budget.left(seen=10**6, event_time=0.0, now=0.0) == 7


def test_a_fraction_counts_exactly_where_floats_would_not() -> None:
    budget = Budget(BudgetSettings(fraction=0.29), NO_QUEUE, 0, 4)
    assert left(budget, seen=100) == 29  # int(0.29 * 100) is 28
    budget.note(choice("a"))
    assert left(budget, seen=100) == 28
    assert left(budget, seen=3) == 0


def test_the_total_is_spent_by_all_partitions_together() -> None:
    world = World(BudgetSettings(total=10), NO_QUEUE, 4)
    assert sorted(world.left(p) for p in range(4)) == [2, 2, 3, 3]
    assert sum(world.choose(p, 100, "cat", Reason.AUDIT) for p in range(4)) == 10


def test_remainders_of_many_quotas_fall_on_many_partitions() -> None:
    shares = [[Place(p, 8).share(f"class:{n}", 1) for n in range(80)] for p in range(8)]
    assert sum(map(sum, shares)) == 80
    assert all(3 <= sum(mine) <= 20 for mine in shares)


def test_a_recalled_choice_gives_back_all_but_its_token() -> None:
    settings = BudgetSettings(fraction=0.5, total=10, per_hour=5, per_class={"cat": 4})
    budget = Budget(settings, OutstandingSettings(high=8), 0, 1)
    budget.note(choice("a", at=7200.0))
    assert (left(budget, now=7200.0), budget.room("cat", {}), budget.waiting) == (4, 3, 1)
    budget.recall("a")
    assert (left(budget, seen=12, now=7200.0), budget.room("cat", {}), budget.waiting) == (4, 4, 0)
    assert left(budget, seen=12, now=10_800.0) == 5


def test_an_answered_choice_leaves_the_queue_alone() -> None:
    budget = Budget(BudgetSettings(total=10), OutstandingSettings(high=3), 0, 1)
    for name in "abc":
        budget.note(choice(name))
    assert left(budget) == 0
    budget.answer("b")
    budget.answer("never chosen")
    assert (left(budget), budget.waiting, budget.unanswered) == (1, 2, ["a", "c"])
    budget.recall("b")  # it was answered
    assert left(budget) == 1


def test_four_tokens_an_hour_come_one_each_fifteen_minutes() -> None:
    budget = Budget(BudgetSettings(per_hour=4), NO_QUEUE, 0, 1)
    for name in "abcd":
        budget.note(choice(name, at=36_000.0))
    assert [left(budget, now=36_000.0 + s) for s in (0, 899, 900, 1800, 3600, 90_000)] == [0, 0, 1, 2, 4, 4]


def test_a_bucket_by_event_time_hangs_on_the_log_alone() -> None:
    budget = Budget(BudgetSettings(per_hour=4, clock="event"), NO_QUEUE, 0, 1)
    budget.note(choice("a", at=99.0, event_time=36_000.0))
    assert left(budget, event_time=36_000.0, now=10**9) == 3


def test_hour_and_day_hold_at_once() -> None:
    budget = Budget(BudgetSettings(per_hour=4, per_day=6), NO_QUEUE, 0, 1)
    for name in "abcd":
        budget.note(choice(name, at=864_000.0))
    assert left(budget, now=864_000.0 + 3600.0) == 2  # the day's next token comes after four hours


def test_two_tokens_an_hour_over_sixty_four_partitions_are_two_in_sum() -> None:
    world = World(BudgetSettings(per_hour=2), NO_QUEUE, 64)
    assert sum(world.left(p) for p in range(64)) == 2
    begin, chosen = world.now, 0
    for _ in range(128):
        chosen += sum(world.choose(p, 9, "cat", Reason.STRATEGY) for p in range(64))
        world.now += 900.0
    # every token meets a round while it lives, and none is spent twice
    assert chosen == 2 + (begin + 127 * 900) // 1800 - begin // 1800 == 66


def test_an_idle_partition_gives_its_tokens_by_event_time_too() -> None:
    world = World(BudgetSettings(per_hour=10, clock="event"), NO_QUEUE, 2)
    busy, idle = world.owners
    world.now = 10 * 3600.0
    before = world.left(0)
    world.share(busy, wanted=10, idle=False)
    world.calm()
    idle.unwritten += idle.budget.rows(wanted=0, idle=True, event_time=3600.0, now=0.0)  # stands still
    world.calm()
    assert (before, world.left(0), world.left(1)) == (5, 10, 0)


def test_quotas_hold_by_class_and_by_metadata() -> None:
    settings = BudgetSettings(per_class={"cat": 3}, per_metadata={"camera": {"door": 2, "*": 1}})
    budget = Budget(settings, NO_QUEUE, 0, 1)
    assert budget.room("dog", {}) is None
    assert budget.room("cat", {}) == 3
    assert budget.room("cat", {"camera": "door"}) == 2
    budget.note(choice("a", metadata={"camera": "roof"}))
    assert budget.room("cat", {"camera": "roof"}) == 0
    assert budget.room("cat", {"camera": "gate"}) == 1
    assert budget.room("cat", {"camera": "door"}) == 2


@pytest.mark.parametrize("reason", [Reason.AUDIT, Reason.QUERY])
def test_audit_and_queries_stay_outside_of_quotas(reason: Reason) -> None:
    budget = Budget(BudgetSettings(total=9, per_class={"cat": 3}), OutstandingSettings(high=9), 0, 1)
    budget.note(choice("a", reason=reason))
    assert (budget.room("cat", {}), budget.waiting) == (3, 1)


def test_a_query_counts_for_the_queue_alone() -> None:
    settings = BudgetSettings(fraction=0.5, total=5, per_hour=5)
    budget = Budget(settings, OutstandingSettings(high=6), 0, 1)
    for name in "ab":
        budget.note(choice(name, at=36_000.0, reason=Reason.QUERY))
    assert (left(budget, seen=8, now=36_000.0), left(budget, now=36_000.0)) == (4, 4)
    budget.recall("a")
    assert left(budget, now=36_000.0) == 5


def test_overdue_choices_come_oldest_first_whatever_clock_chose_them() -> None:
    budget = Budget(BudgetSettings(), OutstandingSettings(ttl=10.0), 0, 1)
    for name, at in (("a", 5.0), ("b", 1.0), ("c", 9.0), ("d", 30.0)):
        budget.note(choice(name, at=at))
    assert budget.overdue(15.5) == ["b", "a"]
    budget.recall("b")
    assert budget.overdue(20.0) == ["a", "c"]


def test_demand_refills_to_high_when_the_queue_falls_under_low() -> None:
    budget = Budget(BudgetSettings(), OutstandingSettings(low=2, high=6), 0, 1)
    assert budget.refill() == 6
    for name in "ab":
        budget.note(choice(name))
    assert budget.refill() == 0
    budget.answer("a")
    assert budget.refill() == 5


def test_low_moves_along_with_high() -> None:
    world = World(BudgetSettings(), OutstandingSettings(low=4, high=8), 4)
    world.all_to(1)
    budget = world.owners[1].budget
    assert (world.left(1), budget.refill()) == (8, 8)
    world.choose(1, 5, "cat", Reason.STRATEGY)
    world.answer(1, 0)
    world.answer(1, 0)
    assert budget.waiting == 3 < 4
    assert budget.refill() == 5


def test_a_partition_that_wakes_gets_its_share_back_as_soon_as_it_is_free() -> None:
    world = World(BudgetSettings(), OutstandingSettings(high=8), 2)
    world.all_to(0)
    world.choose(0, 8, "cat", Reason.STRATEGY)
    world.share(world.owners[1], wanted=3, idle=False)
    world.calm()
    for _ in range(3):
        world.answer(0, 0)
    assert world.left(0) == 0  # kept for the one it belongs to
    world.share(world.owners[0], wanted=8, idle=False)
    world.calm()
    assert (world.left(0), world.left(1)) == (0, 3)


def test_a_gift_is_gone_before_it_is_written() -> None:
    world = World(BudgetSettings(total=8), NO_QUEUE, 2)
    world.share(world.owners[0], wanted=2, idle=False)  # has four, needs no more
    world.share(world.owners[0], wanted=6, idle=False)
    world.calm()
    world.share(world.owners[1], wanted=0, idle=True)
    assert (world.left(0), world.left(1)) == (4, 2)
    world.calm()
    assert (world.left(0), world.left(1)) == (6, 2)


def test_a_wish_is_told_once_and_taken_back() -> None:
    world = World(BudgetSettings(total=2), NO_QUEUE, 2)
    budget = world.owners[0].budget

    def told(wanted: int) -> list[int]:
        rows = budget.rows(wanted=wanted, idle=False, event_time=0.0, now=0.0)
        return [row.wants for row in rows]

    assert [told(5), told(5), told(0), told(0)] == [[4], [], [0], []]


def test_nobody_asks_where_shares_do_not_move() -> None:
    world = World(BudgetSettings(total=2, reshare_after=0), NO_QUEUE, 2)
    assert world.owners[0].budget.rows(wanted=5, idle=False, event_time=0.0, now=0.0) == []


def test_nothing_is_spent_before_the_own_fence_was_heard() -> None:
    budget = Budget(BudgetSettings(total=8), NO_QUEUE, 0, 2)
    (fence,) = budget.begin()
    assert (left(budget), budget.begin()) == (0, [])
    budget.hear(fence)
    assert left(budget) == 4


def test_two_owners_of_one_epoch_hold_nothing_and_one_above_voids_the_other() -> None:
    budgets = [Budget(BudgetSettings(total=8), NO_QUEUE, 0, 2, owner=n) for n in (5, 5, 6)]
    fences = [budget.begin()[0] for budget in budgets]
    for budget in budgets[:2]:
        budget.hear(fences[0])
        budget.hear(fences[1])
    assert [budget.fenced for budget in budgets[:2]] == [True, True]
    assert [left(budget) for budget in budgets[:2]] == [0, 0]
    for fence in fences:
        budgets[2].hear(fence)
    assert not budgets[2].fenced
    assert left(budgets[2]) == 4


def test_a_zombies_row_after_the_fence_reaches_nobody_also_once_its_keys_are_emptied() -> None:
    world = World(BudgetSettings(total=8), NO_QUEUE, 2)
    zombie = world.owners[1]
    world.share(world.owners[0], wanted=7, idle=False)
    world.write(world.owners[0])
    world.read(zombie)
    world.owners[1] = world.start(1)
    world.share(zombie, wanted=0, idle=True)  # it gives all, and has not heard of the fence
    world.write(zombie)
    world.calm()
    assert (world.left(0), world.left(1)) == (4, 4)
    assert zombie.budget.rows(wanted=0, idle=True, event_time=0.0, now=0.0) == []
    assert world.owners[1].budget.stale() == []  # its rows are not replaced yet
    world.share(world.owners[1], wanted=0, idle=False)
    world.calm()
    stale = set(world.owners[1].budget.stale())
    assert world.owners[1].budget.stale() == []
    late = zombie.budget.begin()
    assert late == []
    kept = [row for row in world.shares if row.key not in stale]
    assert [row.account for row in kept if row.partition == 1] == ["epoch", "total"]
    world.shares = kept
    assert left(world.start(0).budget) == 4


def test_a_gift_that_lands_while_the_next_owner_begins_stays() -> None:
    world = World(BudgetSettings(total=8), NO_QUEUE, 2)
    giver = world.owners[1]
    world.share(world.owners[0], wanted=7, idle=False)
    world.write(world.owners[0])
    world.read(giver)
    world.share(giver, wanted=0, idle=True)
    world.owners[1] = world.start(1, between=giver.unwritten)
    world.calm()
    assert (world.left(0), world.left(1)) == (7, 1)


def test_compaction_before_a_late_row_does_not_let_it_count() -> None:
    """The fence keeps its place: it is the only record of its key."""
    world = World(BudgetSettings(total=8), NO_QUEUE, 2)
    zombie = world.owners[1]
    world.owners[1] = world.start(1)
    epoch = next(row.epoch for row in world.shares if row.partition == 1)
    assert zombie.budget.fenced is False
    world.shares.append(Share(account="total", partition=1, epoch=epoch, given={0: 4}))
    world.share(world.owners[1], wanted=6, idle=False)
    world.calm()
    world.share(world.owners[1], wanted=0, idle=False)
    world.calm()
    newest = {row.key: place for place, row in enumerate(world.shares)}
    world.shares = [row for place, row in enumerate(world.shares) if newest[row.key] == place]
    assert left(world.start(0).budget) == 4


@pytest.mark.parametrize("choices_first", [False, True])
def test_a_restart_counts_no_choice_twice_that_its_mark_holds(choices_first: bool) -> None:
    world = World(BudgetSettings(per_hour=8), NO_QUEUE, 2)
    world.all_to(0)
    assert world.choose(0, 6, "cat", Reason.STRATEGY) == 6  # four own tokens, two that were lent
    world.share(world.owners[0], wanted=0, idle=False)  # a row, with a mark
    world.calm()
    world.owners[0] = world.start(0, choices_first=choices_first)
    assert world.left(0) == 2
