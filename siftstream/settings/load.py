"""Reading the configuration: file, then environment, one sentence for what is wrong."""

import os
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_settings import EnvSettingsSource, SettingsError

from siftstream.agents.fetch.transforms.settings import BUILT_IN, PlugInSettings
from siftstream.schemas.errors import ConfigError
from siftstream.settings.root import Settings

DEFAULT_FILE = Path("siftstream.yaml")
PREFIX, DELIMITER = "SIFTSTREAM_", "__"


def load_settings(path: Path | None = None) -> Settings:
    """Return the configuration.

    Args:
        path: The YAML file; none: `SIFTSTREAM_CONFIG`, else `siftstream.yaml` here, else the defaults.

    Raises:
        ConfigError: no such file, not YAML, or a setting that is unknown or wrong.
    """
    named = path or (Path(os.environ["SIFTSTREAM_CONFIG"]) if os.environ.get("SIFTSTREAM_CONFIG") else None)
    source = named or DEFAULT_FILE
    values = _read(source) if named or source.exists() else {}
    return settings_from(values, str(source))


def settings_from(values: dict[str, Any], source: str = "settings") -> Settings:
    """Check values; the environment overrides them.

    Raises:
        ConfigError: a setting is unknown or wrong.
    """
    environment: dict[str, Any] = {}
    try:
        environment = _environment()
        return Settings(**_merge(values, environment))
    except SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        where = variable_of([field[1]]) if field else str(error)
        raise ConfigError(f"environment: {where}: not JSON, which lists and mappings are there") from error
    except ValidationError as error:
        raise ConfigError(_sentence(error, environment, source)) from error


def _sentence(error: ValidationError, environment: Mapping[str, Any], source: str) -> str:
    """Say what is wrong, where, and what to do."""
    first = error.errors(include_url=False, include_input=False)[0]
    path, section = _without_tag([str(part) for part in first["loc"]])
    where = ".".join(path) or "the file"
    if _has(environment, path):
        source, where = "environment", variable_of(path)
    what = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        near = get_close_matches(path[-1], list((section or _section(path)).model_fields), n=1)
        what = "is not a setting" + (f"; did you mean {near[0]}?" if near else "")
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{source}: {where}: {what}{more}; `siftstream config init` shows every setting"


def variable_of(path: Sequence[str]) -> str:
    """Name the environment variable of a setting.

    >>> variable_of(["select", "budget", "per_round"])
    'SIFTSTREAM_SELECT__BUDGET__PER_ROUND'
    """
    return PREFIX + DELIMITER.join(path).upper()


def _has(values: Any, path: Sequence[str]) -> bool:
    for part in path:
        if not isinstance(values, Mapping) or part not in values:
            return False
        values = values[part]
    return bool(path)


def _without_tag(path: Sequence[str]) -> tuple[list[str], type[BaseModel] | None]:
    """Leave out the kind that pydantic names behind `transform`; return its settings too."""
    if path[:1] == ["transform"] and len(path) > 1:
        return [path[0], *path[2:]], BUILT_IN.get(path[1], PlugInSettings)
    return list(path), None


def _section(path: Sequence[str]) -> type[BaseModel]:
    """The settings of the section in which an unknown one stands."""
    section: type[BaseModel] = Settings
    for part in path[:-1]:
        field = section.model_fields.get(part)
        kind = field.annotation if field is not None else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return BaseModel
        section = kind
    return section


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}; `siftstream config init` writes one"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: a mapping of settings is expected at the top")
    return values


def _environment() -> dict[str, Any]:
    """Environment values as a nested mapping: they win over the file, which pydantic takes as arguments."""
    values = EnvSettingsSource(Settings)()
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    return _merge({"kafka": {"bootstrap_servers": servers}} if servers else {}, values)


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
