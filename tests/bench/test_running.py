"""The pipeline to measure: what it says of processes that are gone, and the names of replicas."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from siftstream.bench.failed import BenchFailed
from siftstream.bench.line import busy
from siftstream.bench.pusher import Pusher
from siftstream.bench.running import Running, Usage
from siftstream.bench.servers import serving


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Running({"kafka": {"bootstrap_servers": "127.0.0.1:1"}}, folder=tmp_path, stages=())


def test_a_watched_process_counts_from_then_on(running: Running) -> None:
    running.watch("bench", os.getpid())
    sum(range(3_000_000))
    used = running.usage()["bench"]
    assert used.cpu_s > 0
    assert used.peak_bytes >= used.rss_bytes > 1 << 20
    running.mark()
    assert running.usage()["bench"].cpu_s <= used.cpu_s


def test_a_process_that_has_ended_has_no_figures(running: Running) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    running.watch("push", child.pid)
    child.communicate(b"\n")
    with pytest.raises(BenchFailed, match=r"push .* has ended"):
        running.usage()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone forgets the highest memory of a process")
def test_memory_of_before_the_mark_is_forgotten() -> None:
    code = """if True:  # in a process of its own: a long-lived one takes the bytes from what it holds already
        import psutil
        from siftstream.bench.memory import forget_peak, peak_bytes

        process, large = psutil.Process(), bytearray(b"x") * (64 << 20)
        most = peak_bytes(process)
        del large
        forget_peak(process)
        print(most - peak_bytes(process))
    """
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(told.stdout) > 32 << 20


def test_waiting_is_a_share_of_the_processes_of_a_stage() -> None:
    usage = {f"infer-{n}": Usage(3.0, 1, 1) for n in range(2)} | {"fetch": Usage(1.0, 1, 1)}
    assert busy("infer", usage, 4.0) == {"cores": 1.5, "waiting": 0.25}
    assert busy("fetch", usage, 4.0) == {"cores": 0.25, "waiting": 0.75}


def test_a_pusher_without_kafka_ends_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BenchFailed, match="the process that pushes ended"), Pusher("127.0.0.1:1", tmp_path):
        pass


def test_the_servers_serve_the_folder_and_end(tmp_path: Path) -> None:
    from urllib.request import urlopen

    (tmp_path / "a.jpg").write_bytes(b"picture")
    with serving(tmp_path) as ports:
        assert urlopen(f"http://127.0.0.1:{ports['http']}/a.jpg").read() == b"picture"
        assert urlopen(f"http://127.0.0.1:{ports['s3']}/bench/a.jpg").read() == b"picture"
        assert urlopen(f"ftp://bench:bench@127.0.0.1:{ports['ftp']}/a.jpg").read() == b"picture"
