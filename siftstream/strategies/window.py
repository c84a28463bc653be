"""The window that a strategy looks at: read-only arrays of B samples, and what is known beside them.

Shape letters: B samples in the window, M members of the head, C classes, D embedding dimension, N covered
samples, L labelled samples, T tokens.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from siftstream.schemas.errors import StrategyError
from siftstream.strategies.beside import Labelled, LinearHead, Progress, Tokens
from siftstream.strategies.needs import Need
from siftstream.strategies.order import seeded_order

Floats: TypeAlias = NDArray[np.floating[Any]]
Rows: TypeAlias = slice | NDArray[np.int64]
_Array = TypeVar("_Array", bound=NDArray[Any])


@dataclass(frozen=True, eq=False)
class _Given:
    """The arrays as they were handed in; a row of each is a sample."""

    probs: Floats
    emb: Floats
    keys: NDArray[np.uint64]
    logits: Floats | None = None
    metadata: Sequence[Mapping[str, str]] | None = None
    columns: Mapping[str, Floats] = field(default_factory=dict)
    tokens: Tokens | None = None

    def __len__(self) -> int:
        return len(self.probs)


@dataclass(frozen=True, eq=False)
class _Beside:
    """What is known beside the window's own rows."""

    covered: Floats
    labelled: Labelled | None
    head: LinearHead | None
    progress: Progress


class Window:
    """A read-only view of the samples to choose from; nothing is copied before a strategy reads it.

    Rows of the arrays may be more than the window shows: `rows` says which count, and each array is gathered
    when it is first read.

    >>> window = Window(np.full((3, 1, 2), 0.5, np.float32), np.zeros((3, 4), np.float16))
    >>> len(window), window.covered_ND.shape, window.probs_BMC.flags.writeable
    (3, (0, 4), False)
    >>> window.rows(np.array([2, 0])).keys_B.tolist()
    [2, 0]
    """

    def __init__(
        self,
        probs_BMC: Floats,
        emb_BD: Floats,
        covered_ND: Floats | None = None,
        *,
        keys_B: NDArray[np.uint64] | None = None,
        logits_BMC: Floats | None = None,
        metadata: Sequence[Mapping[str, str]] | None = None,
        columns: Mapping[str, Floats] | None = None,
        tokens: Tokens | None = None,
        labelled: Labelled | None = None,
        head: LinearHead | None = None,
        progress: Progress | None = None,
        rows: Rows | None = None,
    ) -> None:
        """Args:
            probs_BMC: Class probabilities of each member; C = 0 where there are none.
            emb_BD: Embeddings of any float type; D = 0 where there are none.
            covered_ND: Embeddings that were chosen or labelled before: diversity keeps away from them.
            keys_B: A number that belongs to each sample, from its id: ties and draws hang on it, so that the
                answer does not depend on the order of the rows. Without it, the row's number.
            logits_BMC: What the probabilities are the softmax of, where it is at hand.
            metadata: Each sample's metadata.
            columns: Further numbers of each sample, [B] each, by name.
            tokens: Class probabilities of tokens.
            labelled: Samples whose class is known.
            head: The linear head that made the probabilities.
            progress: Where the stream stands.
            rows: The rows of these arrays that the window shows; all without it.

        Raises:
            StrategyError: the arrays do not fit together.
        """
        if keys_B is None:
            keys_B = np.arange(len(probs_BMC), dtype=np.uint64)
        given = _Given(probs_BMC, emb_BD, keys_B, logits_BMC, metadata, dict(columns or {}), tokens)
        _check(given)
        if covered_ND is None or not covered_ND.size:
            covered_ND = emb_BD[:0]
        if covered_ND.ndim != 2 or covered_ND.shape[1] != emb_BD.shape[1]:
            raise StrategyError(
                f"covered embeddings must be [N, {emb_BD.shape[1]}] as the window's; got {covered_ND.shape}"
            )
        self._given = given
        self._rows: Rows = slice(0, len(given)) if rows is None else rows
        self._beside = _Beside(_read_only(covered_ND), labelled, head, progress or Progress())

    def __len__(self) -> int:
        rows = self._rows
        return len(range(*rows.indices(len(self._given)))) if isinstance(rows, slice) else len(rows)

    @cached_property
    def probs_BMC(self) -> Floats:
        """Class probabilities of each member, [B, M, C]."""
        return self._taken(self._given.probs)

    @cached_property
    def emb_BD(self) -> Floats:
        """Embeddings, [B, D], of the type they are kept in (float16 on a stream)."""
        return self._taken(self._given.emb)

    @cached_property
    def keys_B(self) -> NDArray[np.uint64]:
        """The number that belongs to each sample, [B]."""
        return self._taken(self._given.keys)

    @cached_property
    def logits_BMC(self) -> Floats | None:
        """What the probabilities are the softmax of, [B, M, C], or none."""
        return None if self._given.logits is None else self._taken(self._given.logits)

    @cached_property
    def metadata(self) -> Sequence[Mapping[str, str]] | None:
        """Each sample's metadata, or none."""
        given = self._given.metadata
        return None if given is None else [given[row] for row in self._numbers().tolist()]

    @cached_property
    def columns(self) -> Mapping[str, Floats]:
        """Further numbers of each sample, [B] each, by name."""
        return {name: self._taken(column) for name, column in self._given.columns.items()}

    @cached_property
    def tokens(self) -> Tokens | None:
        """Class probabilities of each sample's tokens, or none."""
        given = self._given.tokens
        return given and Tokens(self._taken(given.probs_BTC), self._taken(given.lengths_B))

    @property
    def covered_ND(self) -> Floats:
        """Embeddings of what was chosen or labelled before, [N, D]."""
        return self._beside.covered

    @property
    def labelled(self) -> Labelled | None:
        """Samples whose class is known, or none."""
        return self._beside.labelled

    @property
    def head(self) -> LinearHead | None:
        """The linear head that made the probabilities, or none."""
        return self._beside.head

    @property
    def progress(self) -> Progress:
        """Where the stream stands."""
        return self._beside.progress

    @property
    def classes(self) -> int:
        """Number of classes, C."""
        return self._given.probs.shape[2]

    @property
    def members(self) -> int:
        """Number of members of the head, M."""
        return self._given.probs.shape[1]

    @property
    def dim(self) -> int:
        """Embedding dimension, D."""
        return self._given.emb.shape[1]

    def rows(self, which: Rows) -> Self:
        """Return a view of some rows of this window, in the order named; nothing is copied."""
        some = object.__new__(type(self))
        some._given, some._beside = self._given, self._beside
        whole = isinstance(self._rows, slice) and self._rows == slice(0, len(self._given))
        some._rows = which if whole else self._numbers()[which]
        return some

    def but(
        self,
        *,
        emb_BD: Floats | None = None,
        covered_ND: Floats | None = None,
        labelled: Labelled | None = None,
        progress: Progress | None = None,
    ) -> "Window":
        """Return this window with other embeddings, covered samples, labelled samples or progress.

        Embeddings of another width need covered and labelled ones of that width.
        """
        beside = self._beside
        if emb_BD is None and covered_ND is None:  # nothing to gather: the arrays stay shared
            same = copy(self)
            same._beside = replace(
                beside, labelled=labelled or beside.labelled, progress=progress or beside.progress
            )
            return same
        return Window(
            self.probs_BMC, self.emb_BD if emb_BD is None else emb_BD,
            beside.covered if covered_ND is None else covered_ND, keys_B=self.keys_B,
            logits_BMC=self.logits_BMC, metadata=self.metadata, columns=self.columns, tokens=self.tokens,
            labelled=labelled or beside.labelled, head=beside.head, progress=progress or beside.progress,
        )  # fmt: skip

    def order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return the rows in an order that `rng` and the samples' keys give, whatever order they stand in."""
        return seeded_order(self.keys_B, rng)

    def has(self, need: Need) -> bool:
        """Tell whether the window carries what `need` names."""
        match need:
            case Need.PROBS:
                return self.members > 0 and self.classes > 0
            case Need.MEMBERS:
                return self.members > 1 and self.classes > 0
            case Need.EMBEDDINGS:
                return self.dim > 0
            case Need.GRADIENT:
                return self.members > 0 and self.classes > 0 and self.dim > 0
            case Need.HEAD:
                return self.head is not None and self.dim > 0
            case Need.LABELLED:
                return self.labelled is not None and len(self.labelled) > 0
            case Need.METADATA:
                return self._given.metadata is not None
            case Need.COLUMNS:
                return bool(self._given.columns)
            case Need.TOKENS:
                return self._given.tokens is not None

    def _numbers(self) -> NDArray[np.int64]:
        rows = self._rows
        return np.arange(len(self._given))[rows] if isinstance(rows, slice) else rows

    def _taken(self, array: NDArray[Any]) -> Any:
        return _read_only(array[self._rows])


def _read_only(array: _Array) -> _Array:
    view = array.view()
    view.flags.writeable = False
    return view


def _check(given: _Given) -> None:
    probs, emb, size = given.probs, given.emb, len(given.probs)
    if probs.ndim != 3 or emb.ndim != 2 or len(emb) != size:
        raise StrategyError(
            f"a window needs probabilities [B, M, C] and embeddings [B, D] of the same B;"
            f" got {probs.shape} and {emb.shape}"
        )
    if given.logits is not None and given.logits.shape != probs.shape:
        raise StrategyError(
            f"logits must be {list(probs.shape)} as the probabilities; got {given.logits.shape}"
        )
    tokens = given.tokens
    if tokens is not None and (tokens.probs_BTC.ndim != 3 or len(tokens.lengths_B) != len(tokens.probs_BTC)):
        raise StrategyError(
            f"tokens need probabilities [B, T, C] and lengths [B]; got {tokens.probs_BTC.shape}"
            f" and {tokens.lengths_B.shape}"
        )
    others: dict[str, int | None] = {
        "keys": len(given.keys),
        "metadata": None if given.metadata is None else len(given.metadata),
        "tokens": None if tokens is None else len(tokens.lengths_B),
        **{f"column {name}": len(column) for name, column in given.columns.items()},
    }
    for name, found in others.items():
        if found not in (None, size):
            raise StrategyError(f"{name}: {found} rows, and the window has {size}")
