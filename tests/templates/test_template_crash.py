"""A writer may be killed, and a disk may be full: a template is the old one or the new one."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bigtask.templates.manager import TemplateManager
from projects import ENV

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

ROUNDS = 40 if os.environ.get("BIGTASK_FULL") else 6
HERE = Path(__file__).parent


def big(number: int) -> dict[str, Any]:
    return {
        "id": "mine",
        "name": str(number),
        "extends": "_default",
        "description": f"{number} " * 50_000,
        "author": str(number),
    }


def _write_for_ever(own: Path) -> None:
    manager = TemplateManager(user_dir=own)
    number = 0
    while True:
        number += 1
        manager.update("mine", big(number), revision=manager.find("mine").revision)


def test_a_writer_that_is_killed_leaves_a_whole_template_and_no_lock(tmp_path: Path) -> None:
    manager = TemplateManager(user_dir=tmp_path)
    manager.create(big(0))
    spawning = multiprocessing.get_context("spawn")
    for _ in range(ROUNDS):
        before = manager.find("mine").revision
        writer = spawning.Process(target=_write_for_ever, args=(tmp_path,))
        writer.start()
        try:
            until = time.monotonic() + 60
            # In the middle of a write: its temporary file is there.
            while manager.find("mine").revision == before or not list(tmp_path.glob(".*.tmp")):
                assert time.monotonic() < until
                assert writer.is_alive()
        finally:
            assert writer.pid is not None
            os.kill(writer.pid, signal.SIGKILL)
            writer.join()
        one = manager.find("mine")
        assert one.usable
        raw = manager.get("mine", resolved=False)
        assert raw == big(int(raw["name"]))
        later = manager.update("mine", big(1_000_000), revision=one.revision)
        assert later.name == "1000000"
        assert not list(tmp_path.glob(".*.tmp")), "what the killed writer left is taken away"


_FILL = """
import json, sys
from pathlib import Path
from bigtask.errors import BigtaskError
from bigtask.templates.manager import TemplateManager
sys.path.insert(0, sys.argv[2])
from templates.test_template_crash import big
manager = TemplateManager(user_dir=Path(sys.argv[1]) / "own")
manager.create(big(0))
said, number = "", 0
while not said and number < 100:
    number += 1
    try:
        manager.create({**big(number), "id": f"t{number}"})
    except BigtaskError as error:
        said = str(error)
try:
    manager.update("mine", big(7), revision=manager.find("mine").revision)
    updated = True
except BigtaskError:
    updated = False
left = [path.name for path in (Path(sys.argv[1]) / "own").iterdir() if path.name.endswith(".tmp")]
fine = all(one.usable for one in manager.list())
print(json.dumps({"said": said, "name": manager.find("mine").name, "updated": updated, "left": left,
                  "fine": fine}))
"""


def test_on_a_full_disk_nothing_is_lost_and_it_is_said(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = 'mount -t tmpfs -o size=3m tmpfs "$0" && exec "$@"'
    begin = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounted, str(disk)]
    if shutil.which("unshare") is None or subprocess.run([*begin, "true"], check=False).returncode:
        pytest.skip("this system gives no process a file system of its own (unshare, mount)")
    done = subprocess.run(
        [*begin, sys.executable, "-c", _FILL, str(disk), str(HERE.parent)],
        env={**ENV, "PYTHONPATH": str(HERE.parent)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = json.loads(done.stdout)
    assert "No space left on device" in found["said"]
    assert found["name"] == ("7" if found["updated"] else "0")
    assert found["left"] == []
    assert found["fine"]
