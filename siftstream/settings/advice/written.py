"""Advice as YAML: each setting under its sentence."""

import textwrap
from typing import Any

import yaml

from siftstream.settings.advice.advise import Advice

WIDTH = 100
HEADER = "Written by `siftstream advise`; put it in place of `select:` in siftstream.yaml."


def written(advice: Advice) -> str:
    """Return the `select:` section, a comment above each setting.

    >>> from siftstream.settings.advice import Answers, advised
    >>> print(written(advised(Answers(model=True, explain=True))).splitlines()[5])
        name: margin
    """
    lines = [f"# {HEADER}", "select:"]
    open_at: tuple[str, ...] = ()
    for line in advice.lines:
        folder = line.path[:-1]
        for depth, part in enumerate(folder):
            if open_at[: depth + 1] != folder[: depth + 1]:
                lines.append(f"{_indent(depth + 1)}{part}:")
        open_at = folder
        start = f"{_indent(len(line.path))}# "
        lines += textwrap.wrap(
            line.because, WIDTH, initial_indent=start, subsequent_indent=start, break_on_hyphens=False
        )
        lines.append(f"{_indent(len(line.path))}{line.path[-1]}: {_flow(line.value)}")
    return "\n".join(lines) + "\n"


def _indent(depth: int) -> str:
    return "  " * depth


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    text = yaml.safe_dump(value, sort_keys=False, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("...\n").strip()
