"""The tables of docs/strategies.md are what the code says of itself.

`SIFTSTREAM_WRITE_DOCS=1 pytest tests/strategies/test_docs_page.py` writes them anew.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import yaml

from siftstream.strategies import catalogue, strategy_names, strategy_of
from siftstream.strategies.catalogue import Entry
from siftstream.strategies.conformance import check_strategy

PAGE = Path(__file__).parents[2] / "docs" / "strategies.md"
WRITE = os.environ.get("SIFTSTREAM_WRITE_DOCS") == "1"
BY = "written by tests/strategies/test_docs_page.py"


def rows(entries: Iterable[Entry], *, needs: bool = True) -> Iterator[str]:
    """One table a family."""
    found = list(entries)
    for family in dict.fromkeys(entry.family for entry in found):
        columns = ["name", *(["needs"] if needs else []), "cost", "when", "source"]
        yield f"\n### {family[:1].upper()}{family[1:]}\n"
        yield f"| {' | '.join(columns)} |"
        yield f"|{'---|' * len(columns)}"
        for entry in found:
            if entry.family == family:
                said = [", ".join(entry.needs) or "nothing"] if needs else []
                cells = [f"`{entry.name}`", *said, entry.cost, entry.when, entry.source]
                yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


TABLES = {
    "strategies": lambda: rows(catalogue.entries()),
    "stream rules": lambda: rows(catalogue.rules()),
    "stopping": lambda: rows(catalogue.stopping_rules()),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_page_says_what_the_code_says(name: str) -> None:
    written = "\n".join([*TABLES[name](), ""])
    begin, end = f"<!-- {name}: {BY} -->\n", f"<!-- {name}: end -->"
    page = PAGE.read_text()
    before, _, rest = page.partition(begin)
    table, found, after = rest.partition(end)
    assert found, f"docs/strategies.md has no marks for {name!r}"
    if WRITE:
        PAGE.write_text(before + begin + written + end + after)
        return
    assert table == written, (
        "write it anew: SIFTSTREAM_WRITE_DOCS=1 pytest tests/strategies/test_docs_page.py"
    )


def test_the_example_of_ones_own_strategy_passes_the_suite() -> None:
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    assert code
    names: dict[str, object] = {"__name__": __name__}
    exec(compile(code[1], PAGE.name, "exec"), names)
    kind = names["Suspect"]
    assert isinstance(kind, type)
    check_strategy(kind())


def test_each_configuration_on_the_page_makes_a_strategy() -> None:
    found = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.S)]
    assert len(found) == 2
    for config in found:
        said = config["select"]["strategy"]
        assert strategy_of({"name": said["name"], **said["parameters"]}).name in strategy_names()
