"""Reading the configuration: file, then environment, one sentence for what is wrong."""

import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource

from siftstream.schemas.errors import ConfigError
from siftstream.settings.root import Settings

DEFAULT_FILE = Path("siftstream.yaml")


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
    try:
        merged = _merge(values, _environment())
        return Settings(**merged)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        what = "is not a setting" if first["type"] == "extra_forbidden" else first["msg"]
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise ConfigError(f"{source}: {where}: {what}{more}; `siftstream config init` shows every setting") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; `siftstream config init` writes one") from error
    except yaml.YAMLError as error:
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
