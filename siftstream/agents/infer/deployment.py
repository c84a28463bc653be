"""A line's model in service, and the one before it, which returns where the newer one can judge nothing."""

import threading
from logging import getLogger
from typing import Final

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.infer.judging import Judged, judged
from siftstream.models.loaded import LoadedModel
from siftstream.schemas.arrays import Arrays

BLAMED: Final = 32  # samples in a row without a judged one after which the model, not the samples, is asked
REMEDY: Final = "publish another version, or see that `transform` makes what it reads"
log = getLogger(__name__)


class Deployment:
    """Judges with the newest model of a line; swapped and asked from any thread.

    A model that was just deployed is on probation: until it has judged a sample, the one before it stays at
    hand. Where it fails on `BLAMED` samples in a row and the one before can judge the last of them, the model
    is to blame, not the samples: the one before returns, and what it says of them counts. Where that one
    fails too, the samples are to blame, and are refused.
    """

    def __init__(self, line: str, model: LoadedModel | None = None) -> None:
        """Args: the line's name; the model to begin with, none where the line has none yet."""
        self.line, self.model = line, model
        self._before: LoadedModel | None = None
        self._failed = 0  # samples in a row that the model could not judge
        self._asked_at = BLAMED  # of them, when the one before is asked; then at twice as many, and so on
        self._lock = threading.Lock()

    def deploy(self, model: LoadedModel) -> None:
        """Let a model judge from the next batch on."""
        with self._lock:
            self._before, self.model = self.model, model
            self._failed, self._asked_at = 0, BLAMED

    def judge(self, inputs: Arrays, which: NDArray[np.intp]) -> Judged:
        """Judge rows of a device batch with the model of the moment; there is one."""
        model = self.model
        assert model is not None, f"line {self.line} was given samples and has no model"
        said = judged(model, inputs, which, singly=self._failed > 0)
        if said.hopeless and self.model is not model:  # swapped meanwhile, perhaps for this very reason
            return self.judge(inputs, which)
        before = self._whom_to_ask(said)
        if before is None:
            return said
        again = judged(before, inputs, which, singly=True)
        if again.hopeless:
            self._tell(said, f"{before.version} neither, so they are dead letters; {REMEDY}")
            return said
        if self._return_to(before, model):
            self._tell(said, f"{before.version} can, so it runs again until another version comes")
        return again

    def _whom_to_ask(self, said: Judged) -> LoadedModel | None:
        """Note how it went; return the model before where this one's failures are too many in a row."""
        with self._lock:
            if said.model is not self.model:
                return None
            if not said.hopeless:
                self._failed, self._asked_at, self._before = 0, BLAMED, None
                return None
            self._failed += len(said.bad)
            if self._failed < self._asked_at:
                return None
            self._asked_at = 2 * self._failed
        if self._before is None:
            self._tell(said, f"they are dead letters; {REMEDY}")
        return self._before

    def _return_to(self, before: LoadedModel, failing: LoadedModel) -> bool:
        with self._lock:
            if self.model is not failing:
                return False
            self.model, self._before = before, None
            self._failed, self._asked_at = 0, BLAMED
            return True

    def _tell(self, said: Judged, then: str) -> None:
        reason = next(iter(said.bad.values()))
        name = said.model.version
        log.error("model %s could judge none of %d samples (%s); %s", name, len(said.bad), reason, then)
