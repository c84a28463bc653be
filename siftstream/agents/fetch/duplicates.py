"""What was passed on already: the same sample id, or the same bytes, within a horizon of this worker."""

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K]):
    """The last `horizon` keys, oldest first out.

    >>> recent = Recent[str](2)
    >>> [recent.add(key) for key in ("a", "b", "a", "c", "a")]
    [True, True, False, True, True]
    """

    def __init__(self, horizon: int) -> None:
        self._horizon = horizon
        self._keys: set[K] = set()
        self._order: deque[K] = deque()

    def __contains__(self, key: K) -> bool:
        return key in self._keys

    def add(self, key: K) -> bool:
        """Note the key; tell whether it is new."""
        if key in self._keys:
            return False
        self._keys.add(key)
        self._order.append(key)
        if len(self._order) > self._horizon:
            self._keys.discard(self._order.popleft())
        return True


class Twins(Generic[K, V]):
    """Who works on a key now, and who came later with the same key and waits for the outcome."""

    def __init__(self) -> None:
        self._waiting: dict[K, list[V]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def first(self, key: K, value: V) -> bool:
        """Tell whether nobody works on the key; if somebody does, `value` waits."""
        others = self._waiting.get(key)
        if others is None:
            self._waiting[key] = []
            return True
        others.append(value)
        return False

    def done(self, key: K) -> list[V]:
        """Return who waited; nobody works on the key any more."""
        return self._waiting.pop(key, [])
