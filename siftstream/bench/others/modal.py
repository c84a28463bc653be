"""modAL's pool-based loop: an ActiveLearner on a scikit-learn estimator, `query` with uncertainty sampling.

The package is called modAL-python. Its users hold the pool as one array and read pictures with Pillow; the
estimator runs the ONNX graph in a session as ONNX Runtime makes it by default.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from PIL import Image

BATCH = 128


def prepare(onnx: str) -> Callable[[Sequence[Path], int], Sequence[int]]:
    """Open the model; return what chooses the least confident of some files."""
    from modAL.models import ActiveLearner  # pyright: ignore[reportMissingImports]
    from modAL.uncertainty import uncertainty_sampling  # pyright: ignore[reportMissingImports]
    from sklearn.base import BaseEstimator, ClassifierMixin

    session = ort.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    class Classifier(ClassifierMixin, BaseEstimator):
        """The graph as an estimator."""

        def fit(self, X: Any, y: Any) -> Any:
            """Keep the weights: only choosing is measured."""
            del X, y
            return self

        def predict_proba(self, X: Any) -> Any:
            """Return probabilities [samples, classes]."""
            lots = [X[start : start + BATCH] for start in range(0, len(X), BATCH)]
            answers: Any = [session.run(None, {name: lot})[0] for lot in lots]
            return np.concatenate(answers)

    learner: Any = ActiveLearner(estimator=Classifier(), query_strategy=uncertainty_sampling)

    def select(paths: Sequence[Path], budget: int) -> Sequence[int]:
        pool = np.stack([np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1) for path in paths])
        chosen, _ = learner.query(pool, n_instances=budget)
        return chosen.tolist()

    return select
