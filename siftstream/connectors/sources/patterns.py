"""Patterns that let files in or keep them out, as in `*.jpg`, `raw/**` or `2024-*/[ab]?.png`."""

import re
from collections.abc import Sequence

MAGIC = re.compile(r"[*?\[]")
_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]/]*\]|.", re.DOTALL)


def expression(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a pattern: `*` and `?` stay in a folder, `**` goes through folders.

    >>> [bool(expression(p).fullmatch("a/b/c/1.jpg")) for p in ("a/**/*.jpg", "a/*.jpg", "a/*/c/?.jpg")]
    [True, False, True]
    """
    return re.compile("".join(_translated(match[0]) for match in _TOKEN.finditer(pattern)), re.DOTALL)


def _translated(token: str) -> str:
    fixed = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    if token in fixed:
        return fixed[token]
    if len(token) > 1:  # a class; a range such as [z-a] is no reason to fail
        negated = token[1] == "!"
        inside = re.sub(r"([\\\[&~|^])", r"\\\1", token[1 + negated : -1])
        return f"[{'^/' if negated else ''}{inside}]"
    return re.escape(token)


class Patterns:
    """Which of the files below a folder or prefix are wanted.

    A pattern with a `/` is one of the whole path below the folder, any other one of a name. A folder whose
    path or name is excluded is left out with all below it. Hidden files and folders always are.

    >>> wanted = Patterns(include=["*.jpg"], exclude=["raw", "b/**"])
    >>> [wanted.path(path) for path in ("a/1.jpg", "a/1.txt", "raw/1.jpg", "b/c/1.jpg", ".git/1.jpg")]
    [True, False, False, False, False]
    """

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        self._include, self._exclude = _Any(include), _Any(exclude)

    def file(self, path: str) -> bool:
        """Whether a file is wanted, by its path below the folder; its folders are not looked at."""
        name = path.rpartition("/")[2]
        return (
            not name.startswith(".")
            and (self._include.empty or self._include(path, name))
            and not self._exclude(path, name)
        )

    def folder(self, path: str) -> bool:
        """Whether anything in a folder may be wanted, by its path below the top one."""
        name = path.rpartition("/")[2]
        return not name.startswith(".") and not self._exclude(path, name)

    def way(self, path: str) -> bool:
        """Whether no folder on the way to a path is left out."""
        cut = path.find("/")
        while cut >= 0:
            if not self.folder(path[:cut]):
                return False
            cut = path.find("/", cut + 1)
        return True

    def path(self, path: str) -> bool:
        """Whether a file is wanted, its folders looked at too."""
        return self.way(path) and self.file(path)


class _Any:
    """Whether one of several patterns fits a path or a name."""

    def __init__(self, patterns: Sequence[str]) -> None:
        patterns = [pattern.rstrip("/") for pattern in patterns]
        self._paths = [expression(pattern.lstrip("/")) for pattern in patterns if "/" in pattern]
        self._names = [expression(pattern) for pattern in patterns if "/" not in pattern]
        self.empty = not patterns

    def __call__(self, path: str, name: str) -> bool:
        return any(p.fullmatch(path) for p in self._paths) or any(n.fullmatch(name) for n in self._names)


class OnlyPath(Patterns):
    """Files whose whole path below the folder fits one pattern, and which other patterns let through."""

    def __init__(self, pattern: str, others: Patterns) -> None:
        super().__init__()
        self._pattern, self._others = expression(pattern), others
        self._depth = None if "**" in pattern else pattern.count("/")

    def file(self, path: str) -> bool:
        """Whether a file is wanted."""
        return self._pattern.fullmatch(path) is not None and self._others.file(path)

    def folder(self, path: str) -> bool:
        """Whether anything in a folder may be wanted: not if it lies deeper than the pattern."""
        return (self._depth is None or path.count("/") < self._depth) and self._others.folder(path)
