"""The one place that logs, events and transcripts pass on their way out: what must not leave stops here."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bigtask.secrecy import Secrecy

Redact = Callable[[str], str]
"""Text without what must stay secret."""


def nothing_secret(text: str) -> str:
    """For runs whose environment holds no secret that bigtask knows of."""
    return text


class _Format(logging.Formatter):
    """Lines begin with the part that speaks: `[WorkerManager] …`."""

    def __init__(self, redact: Redact) -> None:
        super().__init__("[%(name)s] %(message)s")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        record.name = record.name.removeprefix("bigtask.")
        return self._redact(super().format(record))


def without_secrets(text: str) -> str:
    """As `Secrecy.text`, with what our environment holds."""
    return _of_our_environment().text(text)


@cache
def _of_our_environment() -> Secrecy:
    # Imported and made when there is something to say: most commands are quick and silent.
    from bigtask.secrecy import Secrecy, of_environment

    return Secrecy(of_environment(os.environ))


def log_to_stderr(verbosity: int, redact: Redact = without_secrets) -> None:
    """Results go to stdout, words about them to stderr: warnings, with 1 what happens, with 2 everything."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Format(redact))
    root = logging.getLogger("bigtask")
    root.handlers[:] = [handler]
    root.propagate = False
    root.setLevel([logging.WARNING, logging.INFO, logging.DEBUG][min(verbosity, 2)])


def log(part: str) -> logging.Logger:
    """`part` is a name of the public API: OrchestratorModule, TemplateManager, OrchestratorManager,
    WorkerManager."""
    return logging.getLogger(f"bigtask.{part}")
