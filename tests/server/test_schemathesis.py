"""Every route as the OpenAPI document describes it, tried by a tool that reads nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from promises.scale import FULL

from .served import environment, served

TIMEOUT_S = 3_600 if FULL else 240
pytestmark = [pytest.mark.integration, pytest.mark.timeout(TIMEOUT_S + 30)]

LEFT_OUT = (
    # Its tries without a token soon are too many, and get 429; test_guard.py has every route without one.
    "ignored_auth",
    "missing_required_header",
    # What a schema can't say: that a folder exists, that a template has all it needs, that one of two places
    # names the revision.
    "positive_data_acceptance",
)


def test_the_api_is_what_its_document_says(tmp_path: Path) -> None:
    if find_spec("schemathesis") is None:
        assert not os.environ.get("CI"), "CI runs this: tools/setup agents"
        pytest.skip("schemathesis isn't installed: tools/setup agents")
    with served(tmp_path / "home") as server:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/api/openapi.json"),
                *("--header", f"Authorization: Bearer {server.token}", "--seed", "1", "--no-color"),
                *("--phases", "examples,coverage,fuzzing", "--max-examples", "100" if FULL else "2"),
                *("--exclude-checks", ",".join(LEFT_OUT), "--generation-database", "none"),
            ],
            cwd=tmp_path,
            env={**environment(server.home), "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
        assert server.get("/api/health")["status"] == "ok"
