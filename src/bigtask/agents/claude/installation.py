"""Which Claude Code there is on this machine, found without importing the SDK or running anything."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

HOW_TO_INSTALL = "pip install 'bigtask[claude]'"
_PACKAGE = "claude_agent_sdk"


@dataclass(frozen=True, kw_only=True)
class Installation:
    """`version` is that of the CLI, where it can be told without running it."""

    cli: Path
    version: str | None
    sdk: str

    @property
    def words(self) -> str:
        version = f" {self.version}" if self.version else ""
        return f"Claude Code{version} through claude-agent-sdk {self.sdk}"


def installation() -> Installation | None:
    """The CLI that the SDK ships, else the one on PATH; None where either the SDK or a CLI is missing."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    shipped = folder / "_bundled" / "claude"
    on_path = shutil.which("claude")
    if shipped.is_file():
        cli, version = shipped, _shipped_version(folder)
    elif on_path is not None:
        cli, version = Path(on_path), None
    else:
        return None
    return Installation(cli=cli, version=version, sdk=metadata.version("claude-agent-sdk"))


def _shipped_version(folder: Path) -> str | None:
    try:
        said = (folder / "_cli_version.py").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r'__cli_version__ = "([^"]+)"', said)
    return found[1] if found else None
