"""Which quotas a sample falls under: the accounts' names and their limits."""

from collections.abc import Iterator, Mapping
from urllib.parse import quote

from siftstream.agents.select.budget.settings import BudgetSettings

REST = "*"


class Quotas:
    """The quotas of the settings, by account.

    >>> quotas = Quotas(BudgetSettings(per_class={"cat": 5}, per_metadata={"camera": {"door": 50, "*": 10}}))
    >>> list(quotas.of("cat", {"camera": "roof"}))
    ['class:cat', 'metadata:camera=roof']
    >>> quotas.limit("metadata:camera=roof"), quotas.limit("class:dog")
    (10, None)
    """

    def __init__(self, settings: BudgetSettings) -> None:
        self._tables: dict[str, Mapping[str, int]] = {"class:": settings.per_class}
        for key, limits in settings.per_metadata.items():
            self._tables[_prefix(key)] = limits
        self._keys = {key: _prefix(key) for key in settings.per_metadata}

    def __bool__(self) -> bool:
        return any(self._tables.values())

    def of(self, prediction: str | None, metadata: Mapping[str, str]) -> Iterator[str]:
        """Yield the accounts of a sample; one without a metadata key falls under none of its quotas."""
        if prediction is not None and _limit(self._tables["class:"], prediction) is not None:
            yield f"class:{prediction}"
        for key, prefix in self._keys.items():
            value = metadata.get(key)
            if value is not None and _limit(self._tables[prefix], value) is not None:
                yield f"{prefix}{value}"

    def limit(self, account: str) -> int | None:
        """The limit of an account; none where the settings have no such quota."""
        for prefix, limits in self._tables.items():
            if account.startswith(prefix):
                return _limit(limits, account[len(prefix) :])
        return None


def _prefix(key: str) -> str:
    return f"metadata:{quote(key, safe='')}="  # a key may hold '=' itself


def _limit(limits: Mapping[str, int], value: str) -> int | None:
    return limits.get(value, limits.get(REST))
