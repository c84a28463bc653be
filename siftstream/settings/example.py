"""The commented configuration file, made from the models: each setting with its description and default."""

import textwrap
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from siftstream.agents.fetch.transforms.settings import BUILT_IN
from siftstream.settings.root import Settings

WIDTH = 100

HEADER = (
    "The configuration of a siftstream pipeline: every setting with its default; keep those you change."
    " `siftstream config check` says whether it is valid. The environment overrides it:"
    " SIFTSTREAM_SELECT__BUDGET__PER_ROUND=5 sets select.budget.per_round."
)


def example() -> str:
    """Return the file, valid as it stands."""
    return "\n".join([*_comment(HEADER, ""), *_lines(Settings(), "")]) + "\n"


def _lines(model: BaseModel, indent: str) -> list[str]:
    lines: list[str] = []
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            lines += ["", *_comment(summary(type(value)), indent), f"{indent}{name}:"]
            lines += _lines(value, indent + "  ")
            if name == "transform":
                lines += _other_transforms()
        else:
            lines += [
                *([] if indent else [""]),
                *_comment(description(field), indent),
                f"{indent}{name}: {_flow(value)}",
            ]
    return lines


def _other_transforms() -> list[str]:
    """The settings of the other kinds, as comments: only one kind can stand there."""
    lines = [""]
    for kind, model in BUILT_IN.items():
        if kind != "image":
            about = f"Instead, kind `{kind}`. {summary(model)}"
            lines += [*_comment(about, ""), "#transform:", f"#  kind: {kind}"]
            for name, field in model.model_fields.items():
                if name != "kind":
                    lines += [*_comment(description(field), "#  "), f"#  {name}: {_default(field)}".rstrip()]
            lines.append("")
    return lines[:-1]


def _default(field: FieldInfo) -> str:
    return "" if field.is_required() else _flow(field.get_default(call_default_factory=True))


def summary(model: type[BaseModel]) -> str:
    """The first line of a section's docstring."""
    return (model.__doc__ or "").strip().split("\n")[0]


def description(field: FieldInfo) -> str:
    """A setting's description, with the values it may have where they are few."""
    words = field.description or ""
    values = [repr(value) if isinstance(value, str) else str(value) for value in choices(field.annotation)]
    missing = [value for value in values if value.strip("'") not in words]
    return f"{words} One of: {', '.join(values)}." if missing else words


def choices(annotation: Any) -> list[Any]:
    """The values of a setting that has a fixed list of them.

    >>> choices(Literal["zstd", "none"]), choices(int | None), choices(Literal["folder"] | str)
    (['zstd', 'none'], [], [])
    """
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        parts = [part for part in get_args(annotation) if part is not NoneType]
        return choices(parts[0]) if len(parts) == 1 else []
    return []


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    if isinstance(value, SecretStr):
        return "null"
    plain = list[Any](value) if isinstance(value, tuple) else value
    plain = plain if isinstance(plain, (list, dict, str, int, float, bool, NoneType)) else str(plain)
    text = yaml.safe_dump(plain, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _comment(words: str, indent: str) -> list[str]:
    start = f"{indent}# "
    return textwrap.wrap(words, WIDTH, initial_indent=start, subsequent_indent=start, break_on_hyphens=False)
