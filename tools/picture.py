"""Makes docs/run.svg: one moment of a real run, as tmux shows it. usage: .venv/bin/python tools/picture.py

Needs tmux. The run is the documentation template on a copy of rich's sources by the offline agent.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

sys.path.insert(0, str(Path(__file__).parent))
from demo import REQUEST, make_project

WIDTH, HEIGHT = 100, 24
MOMENT = ("4 of 12 done", "5 of 12 done", "6 of 12 done")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bigtask-picture-") as folder:
        project = Path(folder, "rich")
        make_project(project)
        bigtask = Path(sys.executable).with_name("bigtask")
        command = (
            f"env BIGTASK_HOME={folder}/home {bigtask} run documentation '{REQUEST}' "
            f"--cwd {project} --agent offline --yes"
        )
        tmux = ("tmux", "-L", Path(folder).name)
        subprocess.run(
            [*tmux, "new-session", "-d", "-x", str(WIDTH), "-y", str(HEIGHT), command + "; cat"], check=True
        )
        try:
            screen = wait_for(tmux, MOMENT)
            wait_for(tmux, ("bigtask merge",))
        finally:
            subprocess.run([*tmux, "kill-session"], check=False)
    # What names this machine isn't part of the picture.
    lines = [line.replace(str(project), "~/projects/rich") for line in screen.splitlines()]
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text.from_ansi("\n".join(lines)))
    drawn = console.export_svg(title=f'bigtask run documentation "{REQUEST}"')
    # A picture asks nobody for fonts: what the reader's system has is good enough.
    drawn = re.sub(r"@font-face \{.*?\}|<!-- Generated.*?-->", "", drawn, flags=re.DOTALL)
    Path("docs").mkdir(exist_ok=True)
    Path("docs/run.svg").write_text(drawn, encoding="utf-8")
    return 0


def wait_for(tmux: tuple[str, ...], signs: tuple[str, ...]) -> str:
    for _ in range(600):
        taken = subprocess.run(
            [*tmux, "capture-pane", "-e", "-p"], capture_output=True, text=True, check=True
        )
        if any(sign in taken.stdout for sign in signs):
            return taken.stdout.rstrip()
        time.sleep(0.05)
    raise SystemExit("the run never came to the moment of the picture")


if __name__ == "__main__":
    raise SystemExit(main())
