"""A model that runs: a version's encoder and head, checked to fit each other and the pipeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from siftstream.models.artifacts import ArtifactStore
from siftstream.models.encoder import Encoder, Inputs
from siftstream.models.head import Head
from siftstream.models.inputs import check_fit
from siftstream.models.passes import Passes
from siftstream.models.settings import SPARE, ModelSettings
from siftstream.models.spare import spare_encoder
from siftstream.schemas import ModelInput, ModelVersion
from siftstream.schemas.arrays import Specs
from siftstream.schemas.errors import ModelError


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """One version in memory; never changed, only replaced between two batches.

    >>> from siftstream.schemas.arrays import ArraySpec
    >>> specs = {"image": ArraySpec((1, 8, 8), np.dtype(np.uint8))}
    >>> model = LoadedModel.spare(specs, ["cat", "dog"], ModelSettings())
    >>> probs_BMC, emb_BD = model.predict(np.zeros((3, 1, 8, 8), np.uint8))
    >>> probs_BMC.shape, emb_BD.shape, model.version
    ((3, 1, 2), (3, 64), 'spare')

    Raises:
        ModelError: encoder, head and classes do not fit together.
    """

    version: str
    classes: tuple[str, ...]
    encoder: Encoder
    head: Head
    passes: Passes | None = None
    """Monte-Carlo dropout: the encoder run several times; none: once."""

    def __post_init__(self) -> None:
        if self.head.dim != self.encoder.dim:
            raise ModelError(
                f"model {self.version}: the head reads embeddings of {self.head.dim},"
                f" the encoder makes {self.encoder.dim}; they are of different versions"
            )
        if self.head.classes != len(self.classes):
            raise ModelError(
                f"model {self.version}: the head knows {self.head.classes} classes,"
                f" the version names {len(self.classes)}"
            )

    @classmethod
    def load(
        cls,
        version: ModelVersion,
        store: ArtifactStore,
        settings: ModelSettings,
        *,
        classes: Sequence[str] | None = None,
        specs: Specs | None = None,
        previous: Self | None = None,
    ) -> Self:
        """Load a published version; `previous` lends its encoder where that is the same one.

        Raises:
            ModelError: no artifacts, a wrong hash, or not for these `classes` and `specs`.
            UnavailableError: the store is away for now.
        """
        if version.encoder is None or version.head is None:
            raise ModelError(f"model {version.version}: is {version.status} and has nothing to load")
        if version.collected:
            raise ModelError(
                f"model {version.version}: its files were deleted by the retention rule (retrain.keep);"
                " train it again, and pin what must stay"
            )
        if classes is not None and tuple(classes) != version.classes:
            raise ModelError(
                f"model {version.version}: was trained for the classes {_few(version.classes)}, this pipeline"
                f" has {_few(classes)}; train a new one or give it a line of its own (model.line)"
            )
        if previous is not None and previous.encoder.sha256 == version.encoder.sha256:
            encoder = previous.encoder
        else:
            encoder = Encoder(store.get(version.encoder), settings)
        if version.inputs and version.inputs != encoder.inputs:
            raise ModelError(
                f"model {version.version}: its encoder reads {_told(encoder.inputs)}, the version says"
                f" {_told(version.inputs)}; they do not belong together, train or import it again"
            )
        if specs is not None:
            try:
                check_fit(encoder.inputs, specs)
            except ModelError as error:
                raise ModelError(f"model {version.version}: {error}") from None
        head = Head.from_bytes(store.get(version.head))
        return cls(
            version.version, version.classes, encoder, head,
            cls._passes(version, encoder, store, settings, previous),
        )  # fmt: skip

    @staticmethod
    def _passes(
        version: ModelVersion, encoder: Encoder, store: ArtifactStore, settings: ModelSettings,
        previous: "LoadedModel | None",
    ) -> Passes | None:  # fmt: skip
        if version.passes == 1 or version.encoder is None:
            return None
        if previous is not None and previous.passes is not None and previous.encoder is encoder:
            return previous.passes.times(version.passes)
        onnx = store.get(version.encoder)
        return Passes.of(onnx, encoder, version.passes, lambda part: Encoder(part, settings))

    @classmethod
    def spare(cls, specs: Specs, classes: Sequence[str], settings: ModelSettings) -> Self:
        """Return the model that runs before any exists: random encoder, all classes equally likely."""
        onnx = spare_encoder(specs, settings.seed, settings.dim)
        encoder = Encoder(onnx, settings)
        return cls(SPARE, tuple(classes), encoder, Head.uniform(1, encoder.dim, len(classes)))

    @property
    def members(self) -> int:
        """Members of the probabilities, M: those of the head, in every pass."""
        return self.head.members * (self.passes.count if self.passes is not None else 1)

    def predict(self, inputs: Inputs) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return probabilities [B, M, C] and embeddings [B, D], both float32.

        With Monte-Carlo dropout the members are those of each pass, and an embedding is the passes' mean.

        Raises:
            InferenceError: the inputs are not what the encoder reads, or its run failed.
        """
        if self.passes is None:
            emb_BD = self.encoder.embed(inputs)
            return self.head.probs(emb_BD), emb_BD
        emb_BPD = self.passes.embed(inputs)
        size, passes, dim = emb_BPD.shape
        probs = self.head.probs(emb_BPD.reshape(size * passes, dim))
        return probs.reshape(size, self.members, self.head.classes), emb_BPD.mean(axis=1)


def _told(inputs: Mapping[str, ModelInput]) -> str:
    return ", ".join(f"{name} {entry}" for name, entry in inputs.items())


def _few(names: Sequence[str]) -> str:
    return f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''} ({len(names)})"
