"""Scores tell which record of `features` their samples came in."""

from typing import Any

import numpy as np

from siftstream.agents.infer.judging import judged
from siftstream.agents.infer.part import Part
from siftstream.agents.infer.scoring import score
from siftstream.schemas import Scores
from tests.agents.infer.parts import NAN, FakeModel, alone, decoded, record


def test_scores_name_the_offset_of_the_features_they_were_made_from() -> None:
    batches = decoded(record(7, [1, NAN, 3]), record(9, [4]))
    said = [Scores.decode(output.value) for output in score(alone(FakeModel()), batches).outputs]
    assert [(one.source, one.sample_ids, one.again) for one in said] == [
        (7, ["0-7-0", "0-7-2"], False),
        (9, ["0-9-0"], False),
    ]


def test_scores_made_anew_say_so() -> None:
    ((one, features),) = decoded(record(7, [1, 2]))
    model: Any = FakeModel()
    said = judged(model, features.inputs, np.arange(2))
    (output,) = Part("main", said, one, features, 0, again=True).work().outputs
    assert (Scores.decode(output.value).source, Scores.decode(output.value).again) == (7, True)
