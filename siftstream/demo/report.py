"""The report."""
from pathlib import Path
from siftstream.demo.result import Result
from siftstream.demo.chart import write_png

def write_report(result: Result, out: Path) -> None:
    (out / "result.json").write_text(result.model_dump_json(indent=1))
    write_png(result, out / "report.png")
