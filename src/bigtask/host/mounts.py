"""On which file system something lies. Runs need a local one: over a network the kernel's locks and the
memory that SQLite's write-ahead log shares don't hold what they promise."""

from __future__ import annotations

import re
from pathlib import Path

from bigtask.errors import InvalidInput

NETWORK_FILE_SYSTEMS = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "davfs",
        "fuse.ceph-fuse",
        "fuse.davfs",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "gfs2",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "smb3",
        "smbfs",
    }
)
"""Names in the kernel's mount table."""

_MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")


def require_local(path: Path) -> None:
    """Raises InvalidInput for a place that is reached over a network. What can't be found out is allowed:
    only Linux has a mount table to read."""
    name = file_system_of(path)
    if name in NETWORK_FILE_SYSTEMS:
        raise InvalidInput(
            f"{path} lies on {name}, over a network, where runs can't be kept safely: "
            "set BIGTASK_HOME to a folder on a local disk"
        )


def file_system_of(path: Path) -> str | None:
    """The file system that holds `path`, by its name in the mount table; None where there is no such table.
    `path` needn't be there yet."""
    try:
        mounts = _MOUNTS.read_bytes().decode(errors="surrogateescape")
    except OSError:
        return None
    return file_system(mounts, path.resolve())


def file_system(mounts: str, path: Path) -> str:
    """The type of what `path` lies on; `mounts` is /proc/self/mountinfo (see proc(5))."""
    best, name = -1, "unknown"
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        words = fields.split(" ")
        if len(words) < 5 or not rest:
            continue
        point = _OCTAL.sub(lambda octal: chr(int(octal[1], 8)), words[4])
        # Of two mounts on one place the later one is seen.
        if path.is_relative_to(point) and len(point) >= best:
            best, name = len(point), rest.split(" ")[0]
    return name
