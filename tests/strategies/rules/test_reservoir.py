"""A reservoir holds a fair sample of the stream so far, in slots that it names."""

import numpy as np
import pytest

from siftstream.strategies import Window
from siftstream.strategies.rules import StreamRule, get_rule


def held_after(rule_seed: int, rule: StreamRule, stream: Window) -> list[int]:
    """Follow the slots as a worker would, and return the rows that they hold at the end."""
    decision = rule.decide(stream, rule.start(np.random.default_rng(rule_seed)))
    slots: dict[int, int] = {}
    for row in decision.rows.tolist():
        slots[int(decision.slots_B[row])] = row
    assert set(slots) == set(range(len(slots)))
    return list(slots.values())


def stream_of(rows: int) -> Window:
    return Window(np.full((rows, 1, 2), 0.5), np.zeros((rows, 0)))


@pytest.mark.parametrize("budget", [1.0, 0.5])
def test_every_sample_of_the_stream_is_held_with_the_same_chance(budget: float) -> None:
    counts, rule, stream = np.zeros(40), get_rule("reservoir", size=4, budget=budget), stream_of(40)
    for seed in range(1500):
        counts[held_after(seed, rule, stream)] += 1
    # each with a chance of 4 / 40: 150 of 1,500, of deviation 11.6
    assert counts.sum() == pytest.approx(1500 * 4, rel=0.001)
    assert counts.min() > 150 - 5 * 11.6
    assert counts.max() < 150 + 5 * 11.6
    assert np.square(counts - 150).sum() / 135 < 40 + 5 * np.sqrt(80)


def test_it_takes_fewer_and_fewer() -> None:
    rule = get_rule("reservoir", size=50, budget=1.0)
    decision = rule.decide(stream_of(20_000), rule.start(np.random.default_rng(0)))
    # size (1 + ln(n / size)) = 50 (1 + ln 400) = 349.6, of deviation under sqrt(300)
    assert abs(int(decision.taken_B.sum()) - 349.6) < 5 * 17.3
    assert decision.taken_B[:50].all()


def test_by_margin_it_holds_unsure_samples_more_often() -> None:
    probs = np.tile(np.array([[0.95, 0.05], [0.55, 0.45]]), (50, 1))[:, None]  # margins .1 and .9
    stream = Window(probs, np.zeros((100, 0)))
    rule = get_rule("reservoir", size=5, weight="margin", budget=1.0)
    unsure = sum(row % 2 for seed in range(200) for row in held_after(seed, rule, stream))
    # of small samples each is drawn about by weight: .9 of 1,000, less as the unsure run out
    assert 840 < unsure < 920
