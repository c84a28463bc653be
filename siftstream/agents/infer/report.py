"""What the live model runs on and why, told once a model: in the log, as a metric, beside the commits."""

from collections.abc import Callable
from logging import getLogger

from siftstream.models.loaded import LoadedModel
from siftstream.streams.metrics import Metrics
from siftstream.streams.runs_on import RunsOn

log = getLogger(__name__)


class Report:
    """Tells of each model as it begins to run."""

    def __init__(self, line: str, runs: int, metrics: Metrics, note: Callable[[str], None]) -> None:
        """Args: the line of models; device batches at once; where the metric goes; what takes the note that
        goes with the group's commits.
        """
        self._line, self._runs, self._note = line, runs, note
        self._show = metrics.state(
            "runs_on", "1 for the execution provider and precision that the live model runs in.",
            ("provider", "precision"),
        )  # fmt: skip
        self._told: LoadedModel | None = None

    def of(self, model: LoadedModel | None) -> None:
        """Tell of the model, if it is another than the last time; cheap enough for every batch."""
        if model is None or model is self._told:
            return
        self._told = model
        encoder = model.encoder
        now = RunsOn(
            self._line, model.version, encoder.choice.provider, encoder.precision, self._runs,
            encoder.choice.why,
        )  # fmt: skip
        log.info("infer runs %s", now)
        self._show(now.provider, now.precision)
        self._note(now.encode())
