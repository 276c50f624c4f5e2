"""What a program did to files and connections, in its order, as strace saw it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

STRACE = shutil.which("strace")
WHY_NOT = "the order of writes and syncs is seen by strace (Debian: apt install strace), which isn't there"

_CALLS = "pwrite64,write,sendto,fsync,fdatasync,ftruncate,openat"
_LONGEST = 16_384


@dataclass(frozen=True)
class Written:
    """Began to be written to the file at that place."""

    path: str
    offset: int
    data: bytes


@dataclass(frozen=True)
class Truncated:
    path: str
    size: int


@dataclass(frozen=True)
class SyncBegun:
    path: str


@dataclass(frozen=True)
class Synced:
    """The sync that began last for that path has ended."""

    path: str


@dataclass(frozen=True)
class Made:
    """The file was opened, and made if it wasn't there."""

    path: str


@dataclass(frozen=True)
class Sent:
    """Began to be sent to a socket or pipe: whoever reads there may know it from now on."""

    data: bytes


Step = Written | Truncated | SyncBegun | Synced | Made | Sent


def trace(argv: Sequence[str], env: Mapping[str, str], record: Path) -> list[Step]:
    """Runs the program to its end, which must be a good one. `record` is the file that strace writes."""
    assert STRACE is not None
    options = ["-f", "-qq", "-y", "-xx", "-s", str(_LONGEST), "-e", f"trace={_CALLS}", "-e", "signal=none"]
    command = [STRACE, *options, "-o", str(record), *argv]
    done = subprocess.run(command, env=dict(env), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    return steps(record.read_text(errors="replace"))


_LINE = re.compile(r"^(\d+)\s+(.*)$")
_RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>")
_CALL = re.compile(r"^(\w+)\((.*)$")
_FILE = re.compile(r"^\d+<([^>]*)>")


def steps(text: str) -> list[Step]:
    """From what strace printed with `-f -y -xx`. A call that another thread's came into stands in two
    parts."""
    found: list[Step] = []
    syncing: dict[str, str] = {}
    for line in text.splitlines():
        parted = _LINE.match(line)
        if parted is None:
            continue
        thread, rest = parted.groups()
        if _RESUMED.match(rest):
            if thread in syncing and _succeeded(rest):
                found.append(Synced(syncing.pop(thread)))
            continue
        call = _CALL.match(rest)
        if call is None:
            continue
        name, arguments = call.groups()
        unfinished = rest.endswith("<unfinished ...>")
        if name == "openat":
            opened = re.search(r", \"((?:\\x[0-9a-f]{2})*)\".*O_CREAT", arguments)
            if opened is not None:
                found.append(Made(_bytes(opened.group(1)).decode(errors="replace")))
            continue
        file = _FILE.match(arguments)
        path = _path(file.group(1)) if file is not None else ""
        match name:
            case "fsync" | "fdatasync":
                found.append(SyncBegun(path))
                if unfinished:
                    syncing[thread] = path
                elif _succeeded(rest):
                    found.append(Synced(path))
            case "pwrite64":
                offset = re.findall(r", (\d+)", arguments)[-1]
                found.append(Written(path, int(offset), _data(arguments)))
            case "ftruncate":
                found.append(Truncated(path, int(re.findall(r", (\d+)", arguments)[-1])))
            case "write" | "sendto":
                found.append(Sent(_data(arguments)))
    return found


def _succeeded(rest: str) -> bool:
    return rest.rstrip().endswith("= 0")


def _data(arguments: str) -> bytes:
    quoted = re.search(r"\"((?:\\x[0-9a-f]{2})*)\"", arguments)
    return _bytes(quoted.group(1)) if quoted is not None else b""


def _bytes(quoted: str) -> bytes:
    return bytes.fromhex(quoted.replace("\\x", ""))


def _path(shown: str) -> str:
    """With `-xx` strace prints the paths of descriptors like strings."""
    return _bytes(shown).decode(errors="replace") if shown.startswith("\\x") else shown
