"""Split one big request into a graph of tasks for several agents, merge and check the result.

Names are loaded when they are first used: importing bigtask costs nothing and does nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bigtask.errors import BigtaskError as BigtaskError
    from bigtask.host.creation import Options as Options
    from bigtask.module import OrchestratorModule as OrchestratorModule
    from bigtask.module import WorkerConfig as WorkerConfig
    from bigtask.orchestrators import OrchestratorManager as OrchestratorManager
    from bigtask.protocol.parser import ResponseParser as ResponseParser
    from bigtask.templates.manager import TemplateManager as TemplateManager
    from bigtask.workers import WorkerManager as WorkerManager

_HOMES = {
    "BigtaskError": "bigtask.errors",
    "Options": "bigtask.host.creation",
    "OrchestratorManager": "bigtask.orchestrators",
    "OrchestratorModule": "bigtask.module",
    "ResponseParser": "bigtask.protocol.parser",
    "TemplateManager": "bigtask.templates.manager",
    "WorkerConfig": "bigtask.module",
    "WorkerManager": "bigtask.workers",
}

__all__ = [
    "BigtaskError",
    "Options",
    "OrchestratorManager",
    "OrchestratorModule",
    "ResponseParser",
    "TemplateManager",
    "WorkerConfig",
    "WorkerManager",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'bigtask' has no attribute {name!r}")
