"""Where a repository keeps its templates."""

from __future__ import annotations

from pathlib import Path


def project_templates(cwd: Path) -> Path:
    """`.bigtask/templates` at the top of the repository that `cwd` is in; of `cwd` itself where that is in
    none. Whether it exists isn't looked at."""
    here = cwd.resolve()
    top = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
    return top / ".bigtask" / "templates"
