"""The lines of models that infer runs: its own, canaries that score a share, shadows that listen."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from siftstream.agents.infer.live import LiveModel
from siftstream.agents.infer.routing import Routing
from siftstream.agents.infer.scoring import Batch
from siftstream.agents.infer.settings import InferSettings, LineSettings
from siftstream.agents.infer.shadow import ShadowLine
from siftstream.streams.app import StageApp
from siftstream.streams.metrics import Metrics
from siftstream.streams.work import Work

WAITING = 4  # device batches that wait for a shadow line at most
SHADOW = {
    "samples": "Samples that a shadow line judged.",
    "failed": "Samples that a shadow line could not judge.",
    "dropped": "Samples that a shadow line had no time for.",
    "compared": "Samples that both a shadow line and the main line judged.",
    "agreed": "Compared samples with the same likeliest class.",
    "difference": "Mean absolute difference of probabilities, summed over the compared samples.",
}


class ModelLines:
    """Every line of `infer.lines` beside the main one; without any, nothing here costs a thing."""

    def __init__(self, settings: InferSettings, main: LiveModel, metrics: Metrics) -> None:
        """Args: the stage's settings; the main line; where shares and agreement are shown."""
        self._batch = settings.batch.max
        self._models = [main]
        canaries = [one for one in settings.lines if one.mode == "canary"]
        count = metrics.counter("routed", "Samples by the line of models that scores them.", label="line")
        self.routing = Routing(
            main.deployment, [(one, self._beside(main, one).deployment) for one in canaries], count
        )
        shadows = [one for one in settings.lines if one.mode == "shadow"]
        counts = {
            name: metrics.counter(f"shadow_{name}", about, label="line") for name, about in SHADOW.items()
        }
        self._shadows = [
            ShadowLine(
                one, self._beside(main, one).deployment, main.deployment.line, most=WAITING * self._batch,
                count=partial(_counted, counts, one.line),
            )
            for one in shadows
        ]  # fmt: skip

    def _beside(self, main: LiveModel, one: LineSettings) -> LiveModel:
        self._models.append(main.beside(one.line))
        return self._models[-1]

    async def begin(self) -> None:
        """Load what is live in each line, then follow in the background."""
        for model in self._models:
            await model.begin(self._batch)

    def listen(self, app: StageApp, idle: Callable[[], Awaitable[None]]) -> None:
        """Let the shadows listen whenever `idle` returns."""
        for shadow in self._shadows:
            app.add_future(shadow.listen(idle, app.emitter.send))

    def done(self, batches: Sequence[Batch], work: Work) -> None:
        """Hear of a device batch whose scores are sent."""
        for shadow in self._shadows:
            if batches:
                shadow.offer(batches, work)


def _counted(counts: dict[str, Callable[[str, float], None]], line: str, name: str, number: float) -> None:
    counts[name](line, number)
