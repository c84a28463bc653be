"""One device batch through the models: scores for what they can judge, a reason for each other sample."""

from collections.abc import Sequence

from siftstream.agents.infer.part import Part
from siftstream.agents.infer.routing import Routes
from siftstream.schemas import Features
from siftstream.schemas.arrays import joined
from siftstream.streams.record import Record
from siftstream.streams.work import Work

Batch = tuple[Record, Features]


def score(routes: Routes, batches: Sequence[Batch]) -> Work:
    """Return the scores of these micro-batches: a record for each, and for each line that had a share."""
    try:
        inputs = joined([features.inputs for _, features in batches])
    except ValueError:  # of two configurations of fetch: each by itself
        work = Work()
        for batch in batches:
            work += score(routes, [batch])
        return work
    work = Work()
    for deployment, which in routes([name for _, features in batches for name in features.sample_ids]):
        said, start = deployment.judge(inputs, which), 0
        for record, features in batches:
            work += Part(deployment.line, said, record, features, start).work()
            start += len(features)
    return work
