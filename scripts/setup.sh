#!/usr/bin/env bash
# Prepares a virtual environment from constraints.txt with nothing but Python 3.11+ on the machine.
#
#   scripts/setup.sh DIR            make or renew the environment DIR (what `make setup` does)
#   scripts/setup.sh --constraints  resolve constraints.txt anew; more arguments go to uv (--upgrade)
#
# The cache is tried first and the network second: every version is pinned and every file has its
# hash, so both give the same environment, and a clone without network works from caches alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export UV_PYTHON_DOWNLOADS=never

fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

is_python() { # COMMAND: runs, and is new enough
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3 python; do
    if [[ -n $candidate ]] && is_python "$candidate"; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return
    fi
  done
  fail "no Python 3.11 or newer found on PATH; install one, or name it: make PYTHON=/path/to/python3 setup"
}

is_uv() { # COMMAND: runs, and is 0.5 or newer
  [[ $("$1" --version 2>/dev/null) =~ ^uv\ ([0-9]+)\.([0-9]+)\. ]] && ((BASH_REMATCH[1] > 0 || BASH_REMATCH[2] >= 5))
}

find_uv() { # the one on PATH, else one of our own, installed once a user so that later clones need no network
  local python=$1 home=${XDG_CACHE_HOME:-$HOME/.cache}/siftstream/uv
  if is_uv uv; then command -v uv; return; fi
  if ! is_uv "$home/bin/uv"; then
    rm -rf "$home"
    mkdir -p "$(dirname "$home")"
    "$python" -m venv "$home" >/dev/null ||
      fail "$python cannot make a virtual environment; install its venv module (Debian: apt install python3-venv) or uv"
    # Its own lines of constraints.txt, with their hashes: pip takes hashes from no other place.
    sed -n '/^uv==/,/[^\\]$/p' constraints.txt >"$home/uv.txt"
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$home/uv.txt" >&2 ||
      { rm -rf "$home"; fail "uv is neither on PATH nor to be had by pip; is there a network, or a pip index in your settings?"; }
  fi
  echo "$home/bin/uv"
}

prepare() { # DIR
  local venv=$1 python uv
  python=$(find_python)
  uv=$(find_uv "$python")
  if ! is_python "$venv/bin/python"; then
    rm -rf "$venv"
    "$uv" venv --quiet --python "$python" "$venv"
  fi
  local install=("$uv" pip install --python "$venv/bin/python" --require-hashes --requirements constraints.txt)
  if ! "${install[@]}" --offline --quiet 2>/dev/null; then
    echo "setup: downloading what the cache does not hold (about 5 GB with torch on Linux)" >&2
    "${install[@]}" || fail "the dependencies could not be installed; the lines above say why. Run it again: what was loaded is kept"
  fi
  # No isolation: setuptools is in the environment already, so the build asks no network.
  "$uv" pip install --quiet --offline --python "$venv/bin/python" --no-deps --no-build-isolation --editable .
}

case ${1:-} in
  --constraints)
    shift
    "$(find_uv "$(find_python)")" pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
      --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --quiet \
      --custom-compile-command "make constraints" --output-file constraints.txt "$@"
    ;;
  "" | -*) fail "usage: scripts/setup.sh DIR | --constraints [--upgrade]" ;;
  *) prepare "$1" ;;
esac
