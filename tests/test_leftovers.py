"""The fixture that fails untidy tests is itself tested: each kind of leftover is caught."""

import textwrap

import pytest

from tests.plugins import leftovers

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def little_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "GRACE_S", 0.4)


def outcome(pytester: pytest.Pytester, body: str) -> pytest.RunResult:
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makeconftest('pytest_plugins = ["tests.plugins.leftovers"]')
    pytester.makepyfile("import asyncio, os, subprocess, threading, time\n" + textwrap.dedent(body))
    return pytester.runpytest_inprocess("-p", "no:cacheprovider")


@pytest.mark.parametrize(
    ("left", "body"),
    [
        ("environment variable SIFT_LEFT", "def test_it(): os.environ['SIFT_LEFT'] = '1'"),
        ("another working directory", "def test_it(tmp_path): os.chdir(tmp_path)"),
        (
            "thread napping",
            "def test_it(): threading.Thread(target=time.sleep, args=(1,), name='napping').start()",
        ),
        ("process", "def test_it(): os.spawnlp(os.P_NOWAIT, 'sleep', 'sleep', '1')"),
        ("task napping", "async def test_it(): asyncio.create_task(asyncio.sleep(30), name='napping')"),
    ],
)
@pytest.mark.leaves("threads", "processes", "environment")  # on purpose: the inner test does
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_test_that_leaves_something_fails(pytester: pytest.Pytester, left: str, body: str) -> None:
    result = outcome(pytester, body)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines([f"*left behind: {left}*"])


@pytest.mark.parametrize(
    "body",
    [
        "def test_it(monkeypatch): monkeypatch.setenv('SIFT_LEFT', '1')",
        "def test_it(): threading.Thread(target=time.sleep, args=(0.2,)).start()",
        "async def test_it(): await asyncio.to_thread(time.sleep, 0.01)",
        "def test_it(): subprocess.run(['true'])",
    ],
)
def test_a_tidy_test_passes(pytester: pytest.Pytester, body: str) -> None:
    outcome(pytester, body).assert_outcomes(passed=1)
