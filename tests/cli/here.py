"""The command line in this process: what looks or refuses doesn't need one of its own each time."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest.mock import patch

from bigtask.cli import main

from .person import Said


class _Stream(io.TextIOWrapper):
    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    @property
    def said(self) -> str:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode()


def here(
    env: Mapping[str, str], *arguments: str, cwd: Path | None = None, stdin: str = "", columns: int = 0
) -> Said:
    """With `columns` stdout is a terminal of that width, without colour."""
    out, err = _Stream(terminal=columns > 0), _Stream()
    shown = {"COLUMNS": str(columns), "LINES": "50", "TERM": "xterm", "NO_COLOR": "1"} if columns else {}
    given = io.TextIOWrapper(io.BytesIO(stdin.encode()))
    with (
        patch.dict(os.environ, {**env, **shown}, clear=True),
        patch.object(sys, "argv", ["bigtask", *arguments]),
        patch.object(sys, "stdin", given),
        contextlib.chdir(cwd or env["HOME"]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        _logging_as_before(),
    ):
        try:
            main()
        except SystemExit as ended:
            status = ended.code
    assert isinstance(status, int)
    return Said(status, out.said, err.said)


@contextlib.contextmanager
def _logging_as_before() -> Iterator[None]:
    logger = logging.getLogger("bigtask")
    before = list(logger.handlers), logger.propagate, logger.level
    try:
        yield
    finally:
        logger.handlers[:], logger.propagate = before[:2]
        logger.setLevel(before[2])
