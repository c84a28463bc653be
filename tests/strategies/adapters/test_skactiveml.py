"""scikit-activeml's strategies keep our rules, give their own answers, or are refused in a sentence."""

import importlib
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from siftstream.schemas.errors import StrategyError
from siftstream.strategies import Need, Strategy, Window, get_strategy, strategy_of
from siftstream.strategies.adapters import skactiveml as adapter
from siftstream.strategies.conformance import RULES, make_window

# Slow ones are held to the rules too, with fewer steps: CostEmbeddingAL scales by iterations, and takes none.
CASES: list[tuple[str, dict[str, Any]]] = [
    ("RandomSampling", {}),
    ("UncertaintySampling", {"method": "least_confident"}),
    ("UncertaintySampling", {"method": "margin_sampling"}),
    ("UncertaintySampling", {"method": "entropy"}),
    ("QueryByCommittee", {}),
    ("QueryByCommittee", {"method": "vote_entropy"}),
    ("Quire", {}),
    ("GreedySamplingX", {}),
    ("BatchBALD", {}),
    ("GreedyBALD", {}),
    ("Clue", {}),
    ("CoreSet", {}),
    ("TypiClust", {}),
    ("Badge", {}),
    ("ProbCover", {}),
    ("ContrastiveAL", {}),
    ("Falcun", {}),
    ("MaxHerding", {}),
    ("DiscriminativeAL", {"greedy_selection": True}),
]
RNG = np.random.default_rng


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """Import it once, with what it says on import unheard."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("skactiveml.pool")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize(
    ("name", "parameters"),
    CASES,
    ids=["-".join([c[0], *c[1].values()]) if "method" in c[1] else c[0] for c in CASES],
)
def test_theirs_keep_every_rule(
    name: str, parameters: dict[str, Any], rule: Callable[[Strategy], None]
) -> None:
    rule(get_strategy(f"skactiveml:{name}", **parameters))


def test_all_but_one_that_is_too_slow_for_a_suite_are_held_to_the_rules() -> None:
    tried = {f"skactiveml:{name}" for name, _ in CASES}
    assert set(adapter.adapted_names()) - tried == {"skactiveml:CostEmbeddingAL"}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (("UncertaintySampling", {"method": "least_confident"}), "least_confidence"),
        (("UncertaintySampling", {"method": "margin_sampling"}), "margin"),
        (("UncertaintySampling", {"method": "entropy"}), "entropy"),
    ],
)
def test_rows_are_the_windows_own_and_get_their_own_probabilities(theirs: Any, ours: str) -> None:
    window = make_window(8, 200, covered=10)
    expected = get_strategy(ours).select(window, 30, RNG(0))
    got = get_strategy(f"skactiveml:{theirs[0]}", **theirs[1]).select(window, 30, RNG(0))
    assert got.indices.tolist() == expected.indices.tolist()
    np.testing.assert_allclose(got.scores, expected.scores, rtol=1e-6)


def test_core_set_keeps_away_from_the_labelled_and_from_the_covered() -> None:
    points = np.array([[0.0], [1.0], [5.0], [9.0], [10.0]])
    window = Window(np.ones((5, 1, 2)) / 2, points, np.array([[0.0], [9.5]]))
    for seed in range(5):
        chosen = get_strategy("skactiveml:CoreSet").select(window, 1, RNG(seed))
        assert chosen.indices.tolist() == [2]
        assert chosen.scores.tolist() == [4.5]


def test_contrastive_scores_are_the_divergence_from_the_nearest_labelled() -> None:
    window = make_window(2, 20, labelled=1)
    labelled = window.labelled
    assert labelled is not None
    chosen = get_strategy("skactiveml:ContrastiveAL").select(window, 20, RNG(0))
    known = labelled.probs_LC.astype(np.float64)
    known /= known.sum()
    probs_BC = window.probs_BMC.mean(axis=1, dtype=np.float64)[chosen.indices]
    divergence = (known * np.log(known / (probs_BC / probs_BC.sum(axis=1, keepdims=True)))).sum(axis=1)
    np.testing.assert_allclose(chosen.scores, divergence, rtol=1e-4, atol=1e-6)


def test_greedy_bald_is_told_of_the_members() -> None:
    probs_BMC = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]], [[0.9, 0.1], [0.7, 0.3]]])
    chosen = get_strategy("skactiveml:GreedyBALD").select(Window(probs_BMC, np.zeros((3, 0))), 3, RNG(0))
    assert chosen.indices.tolist() == [0, 2, 1]
    assert chosen.scores[0] == pytest.approx(np.log(2), abs=1e-4)
    assert chosen.scores[2] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("RandomSampling", set()),
        ("UncertaintySampling", {Need.PROBS}),
        ("QueryByCommittee", {Need.MEMBERS}),
        ("TypiClust", {Need.EMBEDDINGS}),
        ("Badge", {Need.EMBEDDINGS, Need.PROBS}),
        ("ContrastiveAL", {Need.EMBEDDINGS, Need.PROBS, Need.LABELLED}),
    ],
)
def test_needs_follow_from_what_theirs_asks_for(name: str, needs: set[Need]) -> None:
    assert get_strategy(f"skactiveml:{name}").reads == needs


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("ExpectedErrorReduction", "`clf`"),
        ("MonteCarloEER", "`clf`"),
        ("FourDs", "`clf`: a mixture model"),
        ("DropQuery", "`clf`"),
        ("GreedySamplingTarget", "`reg`"),
        ("SubSamplingWrapper", "`query_strategy`"),
    ],
)
def test_what_asks_for_what_no_window_has_is_refused_by_its_argument(name: str, argument: str) -> None:
    with pytest.raises(StrategyError, match=f"^skactiveml:{name} asks for {argument}.* cannot give$"):
        get_strategy(f"skactiveml:{name}")


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(StrategyError, match=r"no query strategy 'TypiClus'; did you mean TypiClust"):
        get_strategy("skactiveml:TypiClus")


def test_names_may_be_written_our_way_and_said_in_yaml() -> None:
    strategy = strategy_of({"name": "skactiveml:typi_clust", "k": 3})
    assert strategy.name == "skactiveml:TypiClust"
    assert strategy == get_strategy("skactiveml:TypiClust", k=3)
    assert strategy != get_strategy("skactiveml:TypiClust", k=4)


def test_a_wrong_parameter_is_refused_by_us_or_by_them() -> None:
    with pytest.raises(StrategyError, match="no parameter 'metod'; did you mean method"):
        get_strategy("skactiveml:UncertaintySampling", metod="entropy")
    wrong = get_strategy("skactiveml:UncertaintySampling", method="guess")
    with pytest.raises(
        StrategyError, match=r"skactiveml:UncertaintySampling: scikit-activeml refuses: .*guess"
    ):
        wrong.select(make_window(0, 5), 2, RNG(0))


def test_theirs_can_stand_wherever_a_strategy_can() -> None:
    fused = get_strategy("rank_fusion", strategies=["margin", "skactiveml:CoreSet"])
    assert fused.reads == {Need.PROBS, Need.EMBEDDINGS}
    assert len(fused.select(make_window(0, 20), 5, RNG(0))) == 5


def test_without_the_extra_the_refusal_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skactiveml.pool", None)
    with pytest.raises(StrategyError, match=r"pip install 'siftstream\[skactiveml\]'"):
        get_strategy("skactiveml:Badge")


def test_it_is_imported_only_when_it_is_asked_for() -> None:
    program = (
        "import sys; from siftstream.strategies import get_strategy, strategy_names; strategy_names();"
        "get_strategy('margin'); import siftstream.strategies.adapters.skactiveml;"
        "print([name for name in ('skactiveml', 'sklearn', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
