"""Processes that begin at once: forked off one that has imported everything already.

A holder that is a fresh interpreter spends most of its short life importing. What is killed here is a process
of its own all the same, with its own pid, its own locks and its own descriptors.

As a program, `nursery.py MODULE`, it imports the module. For each line `{"argv", "env"}` on the socket that
is its stdin, with stdout and stderr of the new process handed along, it forks, calls `MODULE.main(argv)`
there and answers `{"pid"}`. `{"wait": pid}` is answered by `{"status"}` when that one has ended. At the end
of its stdin it ends every process that is left.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

TESTS = Path(__file__).parent


@dataclass
class Born:
    """A process of a nursery's; `stdout` and `stderr` are where its output is read. Close it."""

    nursery: Nursery
    pid: int
    stdout: int
    stderr: int
    status: int | None = None

    def kill(self) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """As `subprocess.Popen.wait`."""
        if self.status is None:
            self.status = int(self.nursery.ask({"wait": self.pid})["status"])
        return self.status

    def close(self) -> None:
        self.kill()
        self.wait()
        os.close(self.stdout)
        os.close(self.stderr)


class Nursery:
    """Use as a context. Only one thread may use it."""

    def __init__(self, module: str, env: Mapping[str, str]) -> None:
        """`module` is found in tests/."""
        self._ours, theirs = socket.socketpair()
        with theirs:
            argv = [sys.executable, "-P", str(Path(__file__)), module]
            self._process = subprocess.Popen(argv, stdin=theirs, env=dict(env))

    def start(self, argv: Sequence[str], env: Mapping[str, str]) -> Born:
        """`env` is the whole environment."""
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        try:
            pid = self.ask({"argv": list(argv), "env": dict(env)}, [out_end, err_end])["pid"]
        finally:
            os.close(out_end)
            os.close(err_end)
        return Born(self, pid, out, err)

    def ask(self, request: Any, descriptors: Sequence[int] = ()) -> Any:
        line = json.dumps(request).encode() + b"\n"
        socket.send_fds(self._ours, [line], descriptors)
        answer = b""
        while not answer.endswith(b"\n"):
            read = self._ours.recv(65_536)
            if not read:
                raise AssertionError("the nursery has ended")
            answer += read
        return json.loads(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ours.close()
        self._process.wait()


def serve(main: Any, requests: socket.socket) -> None:
    living: set[int] = set()
    try:
        while True:
            line, descriptors, _, _ = socket.recv_fds(requests, 65_536, 2)
            while line and not line.endswith(b"\n"):
                line += requests.recv(65_536)
            if not line:
                return
            request = json.loads(line)
            if "wait" in request:
                _, status = os.waitpid(request["wait"], 0)
                living.discard(request["wait"])
                answer = {"status": os.waitstatus_to_exitcode(status)}
            else:
                pid = os.fork()
                if pid == 0:
                    requests.close()
                    _be(main, request, *descriptors)
                for descriptor in descriptors:
                    os.close(descriptor)
                living.add(pid)
                answer = {"pid": pid}
            requests.sendall(json.dumps(answer).encode() + b"\n")
    finally:
        for pid in living:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _be(main: Any, request: Any, out: int, err: int) -> None:
    """The life of a forked process, from which nothing returns."""
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.close(out)
        os.close(err)
        os.environ.clear()
        os.environ.update(request["env"])
        main(request["argv"])
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001  # as an interpreter does at its end
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    sys.path.insert(0, str(TESTS))
    module = importlib.import_module(sys.argv[1])
    gc.freeze()
    serve(module.main, socket.socket(fileno=0))
