"""A strategy that breaks a rule of the suite is caught by that rule."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies import Family, Need, Selection, Strategy, Window, blocks
from siftstream.strategies.conformance import check_strategy, rules

Choose = Callable[[Window, int, np.random.Generator], Selection]


@dataclass(frozen=True)
class Sound(Strategy):
    """Score the first class's mean probability."""

    name: ClassVar[str] = "sound"
    family: ClassVar[Family] = Family.BASELINE
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBS})
    cost: ClassVar[str] = "B M C"
    when: ClassVar[str] = "In tests."
    source: ClassVar[str] = "a test"
    nested: ClassVar[bool] = True

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        scores = window.probs_BMC.astype(np.float64).mean(axis=1)[:, 0]
        order = np.argsort(-scores, kind="stable")[:k]
        return Selection(order, scores[order])


def broken(choose: Choose, **said: Any) -> Strategy:
    """Return a strategy that is sound but for this."""
    kind = type(
        "Broken", (Sound,), {"choose": lambda self, *given: choose(*given), "__doc__": "Broken.", **said}
    )
    return dataclass(frozen=True)(kind)()


def sound(window: Window, k: int, rng: np.random.Generator) -> Selection:
    return Sound().choose(window, k, rng)


def one_fewer(window: Window, k: int, rng: np.random.Generator) -> Selection:
    chosen = sound(window, k, rng)
    return Selection(chosen.indices[1:], chosen.scores[1:])


def one_twice(window: Window, k: int, rng: np.random.Generator) -> Selection:
    return Selection(np.zeros(k, np.int64), np.zeros(k))


def worst_first(window: Window, k: int, rng: np.random.Generator) -> Selection:
    chosen = sound(window, k, rng)
    return Selection(chosen.indices[::-1], chosen.scores[::-1])


def of_half_width(window: Window, k: int, rng: np.random.Generator) -> Selection:
    chosen = sound(window, k, rng)
    return Selection(chosen.indices, chosen.scores.astype(np.float32))  # type: ignore[arg-type]


def by_the_weather(window: Window, k: int, rng: np.random.Generator) -> Selection:
    return Selection(np.random.default_rng().permutation(len(window))[:k], np.zeros(k))


def writing(window: Window, k: int, rng: np.random.Generator) -> Selection:
    chosen = sound(window, k, rng)
    window._given.probs[:] = 0.5  # past the read-only view, as C code might
    return chosen


def by_blocks(window: Window, k: int, rng: np.random.Generator) -> Selection:
    scores = np.concatenate(
        [np.sort(rng.random(part.stop - part.start)) for part in blocks.blocks(len(window), 1)]
    )
    order = np.argsort(-scores, kind="stable")[:k]
    return Selection(order, scores[order])


def at_random(window: Window, k: int, rng: np.random.Generator) -> Selection:
    return Selection(rng.choice(len(window), k, replace=False), np.zeros(k))


class ByPlace(Sound):
    """Goes by where a row stands in the window."""

    def _choose_from(self, window: Window, order: Any, k: int, rng: np.random.Generator) -> Selection:
        return self.choose(window, k, rng)


class Sloppy(Sound):
    """Answers when it must refuse."""

    def require(self, window: Window) -> None:
        pass

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        return Selection(np.arange(k), np.zeros(k))


@dataclass(frozen=True)
class Mute(Sound):
    """Has a parameter that nobody knows the meaning of."""

    alpha: float = Field(default=1.0)


CASES = [
    (broken(one_fewer), rules.any_k_is_answered, "asked for"),
    (broken(one_twice), rules.any_k_is_answered, "a row twice"),
    (broken(worst_first), rules.any_k_is_answered, "do not descend"),
    (broken(of_half_width), rules.any_k_is_answered, "float32"),
    (broken(by_the_weather), rules.the_seed_decides, "two answers"),
    (broken(writing), rules.inputs_are_not_written_to, "was written to"),
    (broken(by_blocks), rules.blocks_do_not_show, "in blocks of"),
    (broken(at_random), rules.a_smaller_k_is_the_head_of_a_larger_one, "the head of"),
    (broken(sound, source=""), rules.it_says_what_it_is, "source is not said"),
    (broken(sound, needs=frozenset()), rules.what_it_lacks_is_refused, "instead of refusing"),
    (ByPlace(), rules.ties_go_by_the_seed, "all began with row"),
    (Sloppy(), rules.what_it_lacks_is_refused, "it took a window without"),
    (Mute(), rules.it_says_what_it_is, "alpha has no description"),
]


def test_a_sound_strategy_passes() -> None:
    check_strategy(Sound())


@pytest.mark.parametrize(("strategy", "rule", "words"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_a_strategy_that_breaks_a_rule_is_caught_by_it(
    strategy: Strategy, rule: Callable[[Strategy], None], words: str
) -> None:
    with pytest.raises(AssertionError, match=words):
        rule(strategy)
