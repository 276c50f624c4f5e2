from __future__ import annotations

from pathlib import Path

import pytest

from host.stage import Stage

from .work import Bench


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A repository and a run's workspaces in it."""
    return Bench(tmp_path)
