"""A control group (version 2) for one process tree: no descendant leaves it by accident, and the kernel ends
all of it at once. Paths are those of directories below a cgroup2 mount; see cgroups(7)."""

from __future__ import annotations

import os

# Imported by keepers: nothing that takes milliseconds.

_PREFIX = "bigtask-"


def own() -> str | None:
    """Our own group's directory, or None where the system has none of version 2 that we can see."""
    try:
        with open("/proc/self/cgroup") as file:
            here = next((line[3:].rstrip("\n") for line in file if line.startswith("0::")), None)
        with open("/proc/self/mountinfo") as file:
            mounts = [line.split() for line in file]
    except FileNotFoundError:
        return None
    for fields in mounts:
        if here is not None and fields[fields.index("-") + 1] == "cgroup2":
            return _below(here, root=fields[3], mounted=_unescaped(fields[4]))
    return None


def _below(here: str, *, root: str, mounted: str) -> str | None:
    prefix = root.rstrip("/")
    inside = here == prefix or here.startswith(prefix + "/")
    return (mounted + here[len(prefix) :]).rstrip("/") if inside else None


def _unescaped(path: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, char)
    return path


def usable(parent: str) -> bool:
    """Whether we may make groups in there and move processes from there into them."""
    return os.access(parent, os.W_OK | os.X_OK) and os.access(f"{parent}/cgroup.procs", os.W_OK)


def name(tag: str) -> str:
    return _PREFIX + tag.replace(":", "-")


def make(parent: str, tag: str) -> str | None:
    """The directory of a new group; None where it can't be had, also on kernels before 5.14, which can't end
    a group at once."""
    path = f"{parent}/{name(tag)}"
    try:
        os.mkdir(path)
    except OSError:
        return None
    if os.path.exists(f"{path}/cgroup.kill"):
        return path
    os.rmdir(path)
    return None


def enter(path: str) -> None:
    _write(f"{path}/cgroup.procs", b"0")


def kill(path: str) -> bool:
    """Ends everything in the group and in groups below it; False where there is no such group."""
    try:
        _write(f"{path}/cgroup.kill", b"1")
    except OSError:
        return False
    return True


def members(path: str) -> list[int]:
    """Of the group and of those below it."""
    found: list[int] = []
    for place, _, _ in os.walk(path):
        try:
            with open(f"{place}/cgroup.procs") as file:
                found += [int(line) for line in file]
        except OSError:
            continue
    return found


def remove(path: str) -> bool:
    """Whether nothing of it is left: a group with processes in it stays."""
    for place, _, _ in os.walk(path, topdown=False):
        try:
            os.rmdir(place)
        except OSError:
            return False
    return not os.path.exists(path)


def of_owner(parent: str, owner: str) -> list[str]:
    """The groups that were made there for sessions of that owner."""
    try:
        names = os.listdir(parent)
    except OSError:
        return []
    return [f"{parent}/{entry}" for entry in names if entry.startswith(f"{_PREFIX}{owner}-")]


def _write(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
