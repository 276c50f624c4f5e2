"""Process trees in the shapes in which agents leave them, and who is left of them, without asking bigtask."""

from __future__ import annotations

import os
import secrets
import signal
from pathlib import Path

SHAPES = {
    "children": "sleep {name} & sleep {name} & wait",
    "session": "setsid sh -c 'sleep {name} & wait' & sleep {name} & wait",
    "daemon": "({clear} setsid sh -c '(sleep {name} &); sleep {name}' &) & sleep {name} & wait",
    "stubborn": "trap '' TERM HUP INT; sleep {name} & sleep {name} & while :; do sleep {name}; done",
}
SLEEPERS = {"children": 2, "session": 2, "daemon": 3, "stubborn": 3}


def new_name() -> str:
    """A number of seconds that nobody else sleeps: it's in the arguments of every process of one tree."""
    return f"6{secrets.randbelow(10**12):012d}"


def script(shape: str, name: str, *, cleared: bool = True) -> str:
    """`cleared`: the daemon drops its environment, and with it the mark."""
    return SHAPES[shape].format(name=name, clear="env -i" if cleared else "")


def alive(name: str) -> list[int]:
    """All processes of the tree that haven't ended, sleepers or shells."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                arguments = Path(f"/proc/{entry}/cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            # Those of zombies are empty.
            if name.encode() in arguments and b"python" not in arguments:
                found.append(int(entry))
    return found


def sleeping(name: str) -> int:
    """How many of its sleepers have begun."""
    count = 0
    for pid in alive(name):
        try:
            count += Path(f"/proc/{pid}/cmdline").read_bytes() == f"sleep\0{name}\0".encode()
        except (FileNotFoundError, ProcessLookupError):
            continue
    return count


def complete(shape: str, name: str) -> bool:
    return sleeping(name) == SLEEPERS[shape]


def clear(name: str) -> int:
    """Ends what a test has left, and says how many those were."""
    found = alive(name)
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return len(found)
