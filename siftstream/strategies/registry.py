"""Strategies by name: the built-in ones, and plug-ins from the entry point group `siftstream.strategies`."""

from collections.abc import Mapping
from typing import Any, Final

from siftstream.schemas.errors import StrategyError
from siftstream.strategies.named import Named, imported, made, plain, said_by
from siftstream.strategies.rules.registry import RULES
from siftstream.strategies.strategy import Strategy

GROUP: Final = "siftstream.strategies"
# A strategy is imported when it is asked for: a worker loads only what it runs.
BUILT_IN: Final[dict[str, str]] = {
    # baselines and cold start
    "random": "baselines.uniform:Random",
    "stratified_by_class": "baselines.stratified_by_class:StratifiedByClass",
    "stratified_by_metadata": "baselines.stratified_by_metadata:StratifiedByMetadata",
    "random_then": "baselines.random_then:RandomThen",
    # uncertainty
    "least_confidence": "uncertainty.least_confidence:LeastConfidence",
    "margin": "uncertainty.margin:Margin",
    "ratio": "uncertainty.ratio:Ratio",
    "entropy": "uncertainty.entropy:Entropy",
    # committee and Bayesian
    "vote_entropy": "committee.vote_entropy:VoteEntropy",
    "soft_vote_entropy": "committee.soft_vote_entropy:SoftVoteEntropy",
    "mean_kl": "committee.mean_kl:MeanKL",
    "variation_ratios": "committee.variation_ratios:VariationRatios",
    "mean_std": "committee.mean_std:MeanStd",
    "bald": "committee.bald:BALD",
    "batch_bald": "committee.batch_bald:BatchBALD",
    "power_bald": "committee.power_bald:PowerBALD",
    "epig": "committee.epig:EPIG",
    "stochastic": "committee.stochastic:Stochastic",
    # diversity
    "k_center": "diversity.k_center:KCenter",
    "core_set": "diversity.core_set:CoreSet",
    "farthest_first": "diversity.farthest_first:FarthestFirst",
    "k_means": "diversity.k_means:KMeans",
    "mini_batch_k_means": "diversity.mini_batch_k_means:MiniBatchKMeans",
    "typiclust": "diversity.typiclust:TypiClust",
    "prob_cover": "diversity.prob_cover:ProbCover",
    "max_herding": "diversity.max_herding:MaxHerding",
    "facility_location": "diversity.facility_location:FacilityLocation",
    "dpp": "diversity.dpp:DPP",
    "random_projection": "diversity.random_projection:RandomProjection",
    # hybrid
    "two_stage": "hybrid.two_stage:TwoStage",
    "badge": "hybrid.badge:Badge",
    "clue": "hybrid.clue:Clue",
    "dbal": "hybrid.dbal:Dbal",
    "cluster_margin": "hybrid.cluster_margin:ClusterMargin",
    "information_density": "hybrid.information_density:InformationDensity",
    "ranked_batch": "hybrid.ranked_batch:RankedBatch",
    "falcun": "hybrid.falcun:Falcun",
    "cal": "hybrid.cal:Cal",
    "dal": "hybrid.dal:Dal",
    # expected change and adversarial margin
    "expected_gradient_length": "expected_change.expected_gradient_length:ExpectedGradientLength",
    "expected_error_reduction": "expected_change.expected_error_reduction:ExpectedErrorReduction",
    "expected_variance_reduction": "expected_change.expected_variance_reduction:ExpectedVarianceReduction",
    "deepfool": "expected_change.deepfool:DeepFool",
    # combining
    "weighted_sum": "combining.weighted_sum:WeightedSum",
    "rank_fusion": "combining.rank_fusion:RankFusion",
    "schedule": "combining.schedule:Schedule",
    "switch_when_stalled": "combining.switch_when_stalled:SwitchWhenStalled",
    "by_partition": "combining.by_partition:ByPartition",
    "bandit": "combining.bandit:Bandit",
    # structured outputs
    "bin_min": "structured.bin_min:BinMin",
    "max_loss": "structured.max_loss:MaxLoss",
    "mean_max_loss": "structured.mean_max_loss:MeanMaxLoss",
    "mean_binary_entropy": "structured.mean_binary_entropy:MeanBinaryEntropy",
    "token_margin": "structured.token_margin:TokenMargin",
    "token_entropy": "structured.token_entropy:TokenEntropy",
    "token_least_confidence": "structured.token_least_confidence:TokenLeastConfidence",
    "sequence_confidence": "structured.sequence_confidence:SequenceConfidence",
    "score_column": "structured.score_column:ScoreColumn",
}
# Strategies of other libraries, by a name with the library's prefix: `skactiveml:Badge`.
ADAPTERS: Final[dict[str, str]] = {"skactiveml": "adapters.skactiveml:strategy_class_of"}
ALIASES: Final[dict[str, str]] = {
    "hard_vote_entropy": "vote_entropy",
    "consensus_entropy": "soft_vote_entropy",
    "kl_divergence": "mean_kl",
    "average_kl_divergence": "mean_kl",
    "variation_ratio": "variation_ratios",
    "mean_standard_deviation": "mean_std",
    "batchbald": "batch_bald",
    "powerbald": "power_bald",
    "binmin": "bin_min",
    "binary_minimum": "bin_min",
    "total_token_entropy": "token_entropy",
    "mnlp": "sequence_confidence",
    "column": "score_column",
    "least_confident": "least_confidence",
    "uncertainty": "least_confidence",
    "margin_sampling": "margin",
    "ratio_of_confidence": "ratio",
    "uniform": "random",
    "stratified": "stratified_by_class",
    "epsilon_greedy": "random_then",
    "random_then_strategy": "random_then",
    "reciprocal_rank_fusion": "rank_fusion",
    "albl": "bandit",
    "exp4p": "bandit",
    "switch": "switch_when_stalled",
    "k_center_greedy": "k_center",
    "coreset": "core_set",
    "kmeans": "k_means",
    "typi_clust": "typiclust",
    "probcover": "prob_cover",
    "maxherding": "max_herding",
    "determinantal_point_process": "dpp",
    "mini_batch_kmeans": "mini_batch_k_means",
    "diverse_mini_batch": "dbal",
    "density_weighted": "information_density",
    "ranked_batch_mode": "ranked_batch",
    "contrastive": "cal",
    "contrastive_al": "cal",
    "discriminative": "dal",
    "discriminative_al": "dal",
    "adversarial_margin": "deepfool",
    "egl": "expected_gradient_length",
    "eer": "expected_error_reduction",
    "evr": "expected_variance_reduction",
}


_ROOM: Final = "siftstream.strategies"
STRATEGIES: Final = Named(
    "strategy",
    Strategy,
    group=GROUP,
    built_in={name: f"{_ROOM}.{where}" for name, where in BUILT_IN.items()},
    aliases=ALIASES,
)


def strategy_names() -> list[str]:
    """Return every name that `get_strategy` knows, built-in ones first, aliases left out.

    >>> strategy_names()[:2]
    ['random', 'stratified_by_class']
    """
    return STRATEGIES.names()


def get_strategy(name: str, **parameters: Any) -> Strategy:
    """Make the strategy of that name; hyphens and underscores are the same, a built-in name wins.

    >>> get_strategy("k-center")
    KCenter()

    Raises:
        StrategyError: the name is unknown, a parameter is wrong, or a plug-in does not load.
    """
    return made("strategy", name, strategy_class(name), parameters)


def strategy_class(name: str) -> type[Strategy]:
    """Return the class of that name, an alias or a plug-in too.

    Raises:
        StrategyError: the name is unknown, or a plug-in does not load.
    """
    prefix, _, theirs = name.partition(":")
    if theirs and (adapter := ADAPTERS.get(plain(prefix))):
        return imported(f"{_ROOM}.{adapter}")(theirs)
    if STRATEGIES.find(name) is None and (rule := RULES.find(name)):
        raise StrategyError(
            f"strategy {name!r} is a stream rule ({rule}), which decides sample by sample:"
            " siftstream.strategies.rules"
        )
    return STRATEGIES.kind(name)


def strategy_of(said: "Strategy | str | Mapping[str, Any]") -> Strategy:
    """Make the strategy that a configuration says: a name, or a mapping of `name` and its parameters.

    >>> strategy_of({"name": "margin", "temperature": 2.0}).temperature
    2.0

    Raises:
        StrategyError: it says no strategy.
    """
    if isinstance(said, Strategy):
        return said
    return get_strategy(**said_by("strategy", said))
