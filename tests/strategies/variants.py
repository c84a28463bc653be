"""Parameters with which each strategy is tried."""

from typing import Any, Final

# Parameters with which a strategy is tried besides its defaults, or without which it cannot be made.
VARIANTS: Final[dict[str, list[dict[str, Any]]]] = {
    "batch_bald": [
        {},
        {"outcomes": 5, "candidates": 12, "joint": 4},
        {"least_gain": 0.0, "outcomes": 64, "joint": 6},
    ],
    "power_bald": [{}, {"beta": 4.0}],
    "epig": [{}, {"targets": 5}],
    "stochastic": [
        {},
        {"strategy": "bald", "mode": "softmax", "beta": 8.0},
        {"strategy": {"name": "score_column", "order": "lowest"}, "mode": "softrank"},
    ],
    "mean_max_loss": [{}, {"threshold": 0.9}],
    "token_margin": [{}, {"reduce": "min"}, {"reduce": "sum"}, {"reduce": "longest", "threshold": 0.2}],
    "token_entropy": [{}, {"reduce": "max"}, {"reduce": "sum"}, {"reduce": "longest", "threshold": 1.0}],
    "token_least_confidence": [{}, {"reduce": "max"}, {"reduce": "sum"}, {"reduce": "longest"}],
    "sequence_confidence": [{}, {"per_token": True}],
    "score_column": [{}, {"column": "uncertainty", "order": "lowest"}],
    "stratified_by_class": [{}, {"share": "proportional"}],
    "stratified_by_metadata": [{"key": "site"}, {"key": "nothing", "share": "proportional"}],
    "random_then": [
        {"random_share": 0.3},
        {"strategy": "k_center", "random_share": 0.5, "draw": "epsilon"},
        {"strategy": {"name": "entropy", "class_weight": "balanced"}, "random_share": 1.0},
    ],
    "weighted_sum": [
        {"strategies": ["margin", {"name": "entropy", "temperature": 2.0, "weight": 0.5}]},
        {"strategies": ["margin", "entropy"], "scale": "minmax"},
        {"strategies": ["ratio"], "scale": "none"},
    ],
    "rank_fusion": [
        {"strategies": ["margin", "k_center"]},
        {"strategies": ["k_center", {"name": "entropy", "weight": 2.0}], "method": "borda", "depth": 12},
    ],
    "schedule": [
        {"steps": [{"strategy": "margin", "rounds": 3}, "k_center"]},
        {"steps": [{"strategy": {"name": "bandit", "strategies": ["margin", "k_center"]}}]},
    ],
    "switch_when_stalled": [
        {"first": "margin", "then": "k_center"},
        {"first": "margin", "then": "k_center", "patience": 1, "least_gain": 0.2},
    ],
    "by_partition": [
        {"strategies": ["margin", "k_center"]},
        {"strategies": ["margin"], "partitions": {1: "random"}},
    ],
    "bandit": [
        {"strategies": ["margin", "random"]},
        {"strategies": ["margin", "k_center", "entropy"], "reward": "accuracy", "floor": 0.3},
    ],
    "two_stage": [
        {},
        {
            "uncertainty": {"name": "entropy", "class_weight": "balanced"},
            "diversity": "k_center",
            "factor": 2.0,
        },
        {"uncertainty": "score_column", "diversity": "random", "most_of_window": 1.0},
    ],
    "clue": [{}, {"uncertainty": {"name": "margin", "temperature": 2.0}, "iterations": 2}],
    "dbal": [{}, {"uncertainty": "entropy", "beta": 1.5}],
    "cluster_margin": [{}, {"uncertainty": "entropy", "factor": 2.0, "cluster_size": 3.0}],
    "information_density": [
        {},
        {"similarity": "euclidean", "beta": 0.5},
        {"similarity": "euclidean", "references": 5, "uncertainty": "margin"},
    ],
    "ranked_batch": [{}, {"uncertainty": "entropy", "references": 4}],
    "falcun": [{}, {"gamma": 0.0}, {"gamma": 2.5}],
    "cal": [{}, {"neighbours": 1}],
    "dal": [{}, {"sub_batches": 1}, {"ridge": 1e-6, "sample": 4, "sub_batches": 3}],
    "margin": [{}, {"temperature": 2.0}, {"class_weight": "balanced"}],
    "entropy": [{}, {"temperature": 0.5, "class_weight": "balanced"}],
    "expected_error_reduction": [
        {},
        {"loss": "error", "prefilter": "random", "candidates": 4, "references": 5},
        {"outcomes": 2, "ridge": 1.0},
    ],
    "expected_variance_reduction": [{}, {"prefilter": "random", "candidates": 4, "references": 5}],
    "core_set": [{}, {"outliers": 0.3}, {"rounds": 0}],
    "mini_batch_k_means": [{}, {"batch": 5, "iterations": 3}],
    "typiclust": [{}, {"references": 3, "neighbours": 2}, {"max_clusters": 3}],
    "prob_cover": [{}, {"delta": 2.0}, {"references": 5}],
    "max_herding": [{}, {"normalize": False, "bandwidth": 3.0}, {"references": 5}],
    "dpp": [{}, {"weight": 0.0}],
    "random_projection": [
        {"dim": 3},
        {"dim": 3, "kind": "gaussian", "strategy": "typiclust"},
        {"dim": 3, "strategy": {"name": "margin", "class_weight": "balanced"}},
    ],
}
