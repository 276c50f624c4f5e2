"""What the tests of the promises count comes into the page, whoever writes at the same time."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from .totals import VARIABLE, record

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "promises.py"
RECORD = """
from promises.totals import record
for number in range(200):
    record(1, name="kills " + "x" * 200, unit="kills", count=1, violations=0)
"""


@pytest.fixture
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("promises_page", TOOL)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.mark.integration
def test_totals_of_processes_that_write_at_once_are_whole(tmp_path: Path, tool: ModuleType) -> None:
    file = tmp_path / "totals.json"
    env = {VARIABLE: str(file), "PYTHONPATH": str(ROOT / "tests")}
    writers = [subprocess.Popen([sys.executable, "-P", "-c", RECORD], env=env) for _ in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    (total,) = tool.added_up(json.loads(line) for line in file.read_text().splitlines())
    assert total["count"] == 800


def test_nothing_is_written_unless_somebody_collects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    record(1, name="kills", unit="kills", count=1, violations=0)
    assert list(tmp_path.iterdir()) == []


def test_the_table_adds_up_and_the_rest_of_the_page_stays(tool: ModuleType) -> None:
    lines = [
        {"promise": 2, "name": "cuts", "unit": "cuts", "count": 5, "violations": 0, "full": True},
        {"promise": 1, "name": "kills", "unit": "kills", "count": 600, "violations": 0, "full": True},
        {"promise": 1, "name": "kills", "unit": "kills", "count": 401, "violations": 1, "full": True},
    ]
    page = f"# Promises\n\n{tool.BEGIN}\nold\n{tool.END}\n\nthe end\n"
    written = tool.with_totals(page, tool.table(tool.added_up(lines)))
    assert written.startswith("# Promises\n")
    assert written.endswith("\n\nthe end\n")
    assert "old" not in written
    assert "| 1 | kills | 1,001 kills | 1 |\n| 2 | cuts | 5 cuts | 0 |" in written
    with pytest.raises(SystemExit, match="needs the lines"):
        tool.with_totals("# Promises\n", "")


def test_the_page_has_a_place_for_the_totals_and_every_promise(tool: ModuleType) -> None:
    page = (ROOT / "docs" / "promises.md").read_text()
    assert tool.with_totals(page, "x")
    headings = [line for line in page.splitlines() if line.startswith("## ")]
    assert [int(line[3:].split(".")[0]) for line in headings if line[3].isdigit()] == list(range(1, 16))
