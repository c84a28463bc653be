"""The habits of this repository that a machine can check."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent
PACKAGE = HERE / "siftstream"
ROOMS = ["agents", "connectors", "models", "schemas", "strategies", "streams"]
MEGABYTE = 1_000_000

# Written in two halves, so that this file itself holds none of them.
OF_THIS_MACHINE = ["/" + "root/", "/" + "work/", "/home" + "/"]
REGISTRIES = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "crates" + ".io",
    "npm" + "js.org",
    "maven" + ".org",
    "maven.apache" + ".org",
    "golang" + ".org",
    "deb.debian" + ".org",
]


def kept_files() -> list[Path]:
    """Every file that git has, or would take with `git add`; links are not followed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=HERE, capture_output=True, check=True).stdout.decode().split("\0")
    files = (HERE / name for name in names if name)
    return [file for file in files if file.is_file() and not file.is_symlink()]


def folders_with_code() -> list[str]:
    return sorted({str(file.parent.relative_to(HERE)) for file in PACKAGE.rglob("*.py")})


@pytest.mark.parametrize("folder", folders_with_code())
def test_every_folder_says_its_job_in_a_sentence(folder: str) -> None:
    init = HERE / folder / "__init__.py"
    assert init.exists(), f"{folder} needs an __init__.py whose docstring says what the folder is for"
    first_line = (ast.get_docstring(ast.parse(init.read_text())) or "").partition("\n")[0]
    assert len(first_line.split()) >= 3, f"{init}: the docstring should be a sentence"
    assert first_line.endswith("."), f"{init}: the docstring's first line should be a whole sentence"


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_its_door_at_the_top(room: str) -> None:
    door = HERE / room
    assert door.is_symlink()
    assert door.readlink() == Path("siftstream") / room


def test_imports_go_only_down_the_table_of_rooms() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([lint_imports], cwd=HERE, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_no_file_is_over_a_megabyte() -> None:
    assert {file.name: size for file in kept_files() if (size := file.stat().st_size) > MEGABYTE} == {}


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    found = [
        f"{file.relative_to(HERE)}:{number}: {words}"
        for file in kept_files()
        for number, line in enumerate(file.read_bytes().decode(errors="ignore").splitlines(), 1)
        for words in OF_THIS_MACHINE + REGISTRIES
        if words in line
    ]
    assert found == []


def test_every_pinned_package_has_a_hash() -> None:
    pinned = (HERE / "constraints.txt").read_text().replace("\\\n", " ").splitlines()
    assert [line for line in pinned if "==" in line and "--hash=sha256:" not in line] == []
