"""Where runs may be kept: what the mount table says of a place."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bigtask.host.mounts import NETWORK_FILE_SYSTEMS, file_system, file_system_of, require_local
from projects import ENV

MOUNTS = "\n".join(
    (
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
        "31 22 0:40 / /home rw,relatime shared:2 - nfs4 server:/home rw",
        r"32 31 0:41 / /home/a\040b rw - tmpfs tmpfs rw",
        "33 22 0:42 / /over rw - overlay one rw",
        "34 33 0:43 / /over rw - fuse.sshfs two rw",
        "35 22 0:44 / /mnt/share rw,relatime - cifs //server/share rw",
        "36 22 0:45 / /mnt/host rw,relatime master:3 propagate_from:2 - 9p host rw",
        "nonsense",
    )
)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/var/lib", "ext4"),
        ("/homer", "ext4"),
        ("/home/ada/.local", "nfs4"),
        ("/home/a b/c", "tmpfs"),
        ("/over/x", "fuse.sshfs"),
        ("/mnt/share", "cifs"),
        ("/mnt/host/deep/down", "9p"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(path: str, name: str) -> None:
    assert file_system(MOUNTS, Path(path)) == name
    assert (name in NETWORK_FILE_SYSTEMS) == (name not in ("ext4", "tmpfs"))


def test_what_the_table_does_not_say_is_allowed(tmp_path: Path) -> None:
    assert file_system("", Path("/x")) == "unknown"
    require_local(tmp_path)
    assert file_system_of(tmp_path) == file_system_of(tmp_path / "not" / "there" / "yet")


_TRY = """
import asyncio, sys
from pathlib import Path
from bigtask.agents.table import AgentTable
from bigtask.errors import InvalidInput
from bigtask.host.access import hold
from bigtask.host.home import Home, RunFolder

async def held(path):
    async with hold(RunFolder(path), AgentTable(), who="a test"):
        pass

home = Path(sys.argv[1])
for attempt in (lambda: Home(home).make_folder("x"), lambda: asyncio.run(held(home))):
    try:
        attempt()
    except InvalidInput as error:
        print(error)
"""


@pytest.mark.integration
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has a mount table to read")
def test_a_run_is_neither_made_nor_held_over_a_network(tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text(MOUNTS + f"\n40 22 0:50 / {tmp_path} rw - nfs4 server:/ rw\n")
    # The shell puts another table in the place of its own, and becomes the program that reads it.
    script = f'mount --bind {tmp_path}/mounts /proc/$$/mountinfo && exec "$@"'
    within = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    if shutil.which("unshare") is None or subprocess.run([*within, "true"], check=False).returncode:
        pytest.skip("this system gives no process a mount table of its own")
    done = subprocess.run(
        [*within, sys.executable, "-c", _TRY, str(tmp_path / "home")],
        env={**ENV, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 2, done.stdout
    for line in lines:
        assert "lies on nfs4, over a network" in line
        assert "set BIGTASK_HOME to a folder on a local disk" in line
    assert os.listdir(tmp_path) == ["mounts"]
