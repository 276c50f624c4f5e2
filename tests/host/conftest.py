from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def short_place() -> Iterator[Path]:
    """For sockets that a test connects to by itself: their paths may have 108 bytes, pytest's have more."""
    with tempfile.TemporaryDirectory(prefix="bigtask-") as place:
        yield Path(place)
