"""The soak's looks and what they add up to."""

from __future__ import annotations

import pytest

from siftstream.bench.soak import places, summary, table

FLAT = {"samples": 10_000, "mb": {"fetch": 100.0, "infer": 200.0, "broker": 300.0}}
GROWN = {"samples": 1_010_000, "mb": {"fetch": 104.9, "infer": 210.1, "broker": 600.0}}


@pytest.mark.parametrize("samples", [1, 2, 999, 20_000, 20_001, 100_000, 1_000_000])
def test_every_soak_looks_twice_at_least_and_last_at_its_end(samples: int) -> None:
    found = places(samples)
    assert len(found) >= 2
    assert found == sorted(set(found))
    assert found[-1] == max(samples, 2)


def test_a_million_is_looked_at_from_ten_thousand_on() -> None:
    assert places(1_000_000) == [10_000, *range(100_000, 1_000_001, 100_000)]


def test_a_process_that_grew_by_more_than_a_twentieth_is_named_and_the_broker_never() -> None:
    found = summary([FLAT, GROWN], ["fetch", "infer"])
    assert found["grown"] == ["infer"]
    assert found["growth"] == {"fetch": 0.049, "infer": 0.0505, "broker": 1.0}
    assert found["mb_a_million"] == {"fetch": 4.9, "infer": 10.1, "broker": 300.0}


def test_the_table_shows_every_look_the_growth_and_the_slope() -> None:
    printed = table(summary([FLAT, GROWN], ["fetch", "infer"]))
    assert len(printed) == 5
    assert [words.split()[0] for words in printed[1:3]] == ["10,000", "1,010,000"]
    assert "+4.9%" in printed[3]
    assert printed[4].split()[-2] == "+300.0"
