"""Which sample a word means: an id, the beginning of one as other commands show it, or a URI."""

from collections.abc import Iterable
from typing import Final

from siftstream.schemas import sample_id_of
from siftstream.schemas.errors import ConfigError
from siftstream.streams.story.reading import LogReader
from siftstream.streams.story.rows import names_of

KEYED: Final = ("data-uris", "selected", "labelled", "labels", "dead-letters")
BATCHES: Final = ("scores", "features")
SHOWN: Final = 5


class Meant:
    """The samples that a word may mean, as they are come across.

    >>> meant = Meant("cat")
    >>> meant.hear([("cat-7", ""), ("dog-1", "")])
    >>> meant.only()
    'cat-7'
    """

    def __init__(self, word: str) -> None:
        self.word = word.removesuffix("…").strip()
        self.exact: str | None = None
        self._others: dict[str, None] = {}

    def hear(self, names: Iterable[tuple[str, str]]) -> None:
        """Take in samples, as pairs of id and URI."""
        for name, uri in names:
            if name == self.word or (uri and uri == self.word):
                self.exact = name
            elif name.startswith(self.word) and len(self._others) <= SHOWN:
                self._others[name] = None

    def only(self) -> str | None:
        """Return the one sample that is meant; none where none is known.

        Raises:
            ConfigError: the word is the beginning of several ids.
        """
        if self.exact is not None or not self._others:
            return self.exact
        if len(self._others) > 1:
            some = ", ".join(list(self._others)[:SHOWN])
            more = " and others" if len(self._others) > SHOWN else ""
            raise ConfigError(f"{self.word!r} begins several ids: {some}{more}; give more of it")
        return next(iter(self._others))


def id_of(word: str) -> str:
    """Return the id that a word is, or that a URI has where its producer gave none.

    >>> id_of("file:///data/cat.png"), id_of("cat-7")
    ('7869966eea174d88f3f08e328f5fd908', 'cat-7')
    """
    return sample_id_of(word) if is_uri(word) else word


def is_uri(word: str) -> bool:
    """Whether a word looks like a URI."""
    return "://" in word or word.startswith("data:")


async def the_one(log: LogReader, word: str, since: float | None) -> str:
    """Look through the topics for the sample that a word means, those with an id as key first.

    Raises:
        ConfigError: no sample or several.
        UnavailableError: the cluster does not answer.
    """
    meant = Meant(word)
    for topics in (KEYED, BATCHES):
        for topic in topics:
            stretches = await log.stretches(topic, log.partitions(topic), since if topic in BATCHES else None)
            async for record in log.read(topic, stretches):
                meant.hear(names_of(topic, record, meant.word))
                if meant.exact is not None:
                    return meant.exact
        found = meant.only()
        if found is not None:
            return found
    what = "URI" if is_uri(word) else "id, or beginning of an id,"
    raise ConfigError(
        f"no sample in the topics has the {what} {word!r}: is it mistyped, of another pipeline.name,"
        " or was it pushed so long ago that the log no longer has it?"
    )
