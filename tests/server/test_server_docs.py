"""docs/api.md and docs/events.md say what is so."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

from bigtask.core.events import TYPES
from projects import repository

from .served import PATIENCE_S, environment, served

ROOT = Path(__file__).parents[2]


def test_every_event_stands_in_the_page_with_its_data() -> None:
    spec = importlib.util.spec_from_file_location("events_page", ROOT / "tools" / "events.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    text = (ROOT / "docs" / "events.md").read_text("utf-8")
    assert tool.page(text) == text, "run tools/events.py"
    assert set(re.findall(r"^### `(.+)`$", text, re.MULTILINE)) == set(TYPES)


@pytest.mark.integration
def test_the_tour_goes_as_it_is_written(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    tour = text.partition("<!-- tour")[2].partition("<!-- end")[0]
    blocks = re.findall(r"```sh\n(.*?)```", tour, re.DOTALL)
    assert len(blocks) == 5
    project = repository(
        tmp_path / "project",
        {f"pkg/m{n}.py": f'"""Module {n}."""\n\n\ndef f{n}() -> None: ...\n' for n in range(3)}
        | {"pkg/__init__.py": ""},
    )
    with served(tmp_path / "home") as server:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
            env={**environment(server.home), "BIGTASK_URL": server.url, "PROJECT": str(project.root)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.splitlines()
    assert said[0].endswith("_default")
    assert said[1] == "analyzing"
    assert "event: orchestrator:waiting" in said
    assert "event: orchestrator:completed" in said
    assert said[-5:-3] == ["complete", "1"]
    assert said[-2:] == ["False", "True"]
