from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .scene import SCRIPT, Scene, Signal


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, SCRIPT)


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Signal]:
    signal = Signal(tmp_path / "begun")
    yield signal
    signal.close()
