"""scikit-activeml's pool-based loop: UncertaintySampling queries a wrapped scikit-learn classifier.

Its users hold the pool as a matrix of samples and features, with unknown labels as NaN, and read pictures
with Pillow; the classifier runs the ONNX graph in a session as ONNX Runtime makes it by default.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from PIL import Image

BATCH = 128
CLASSES = range(10)


def prepare(onnx: str) -> Callable[[Sequence[Path], int], Sequence[int]]:
    """Open the model; return what chooses the least confident of some files."""
    from skactiveml.classifier import SklearnClassifier  # pyright: ignore[reportMissingImports]
    from skactiveml.pool import UncertaintySampling  # pyright: ignore[reportMissingImports]
    from sklearn.base import BaseEstimator, ClassifierMixin

    session = ort.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    shape = tuple(session.get_inputs()[0].shape[1:])

    class Classifier(ClassifierMixin, BaseEstimator):
        """The graph as an estimator of flat samples."""

        def fit(self, X: Any, y: Any) -> Any:
            """Keep the weights: only choosing is measured."""
            del X
            self.classes_ = np.unique(y)
            return self

        def predict_proba(self, X: Any) -> Any:
            """Return probabilities [samples, classes]."""
            pictures = X.astype(np.uint8, copy=False).reshape(-1, *shape)
            lots = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
            answers: Any = [session.run(None, {name: lot})[0] for lot in lots]
            return np.concatenate(answers)

    classifier = SklearnClassifier(Classifier(), classes=list(CLASSES))
    classifier.fit(np.zeros((len(CLASSES), int(np.prod(shape))), np.uint8), np.array(CLASSES, float))
    strategy: Any = UncertaintySampling(method="least_confident", random_state=0)

    def select(paths: Sequence[Path], budget: int) -> Sequence[int]:
        pictures = [np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1) for path in paths]
        pool = np.stack(pictures).reshape(len(paths), -1)
        unknown = np.full(len(paths), np.nan)
        return strategy.query(X=pool, y=unknown, clf=classifier, fit_clf=False, batch_size=budget).tolist()

    return select
