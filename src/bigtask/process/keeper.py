"""The process between us and a program that may start others: it keeps the whole tree together and ends it.

One for each session. On Linux it is the subreaper of everything below it: a descendant that goes into another
session, or whose parents end, becomes its child, so that "no children left" proves that nobody is. Only its
own children that nobody has waited for are ever signalled, whose numbers can't have been given away.

It lives as long as the other end of its control socket is open. We may be killed at any moment: the end of
that file then ends the tree as well.

To the keeper: four bytes of length (big endian), that many of a marshalled `Order`'s fields, then lines:
`end MILLISECONDS` (SIGTERM, and SIGKILL after that time). From it, lines: `started PID TICKS CGROUP`, or
`failed ERRNO`; `exited STATUS` when the program has; `ended` when nobody is left.

A keeper without a program is a warden: at the end of its control socket it ends what carries its owner's
mark.
"""

from __future__ import annotations

import errno
import marshal
import os
import select
import signal
import sys
import time

from bigtask.process import cgroup, proc

_LOOK_AGAIN_S = 0.05
_EXEC_FAILED = 127


class Order:
    """What a keeper has to do.

    `cgroup` is the directory to make the tree's group in, or empty. `grace_ms` counts when nobody said
    another one: when we were killed, or the keeper is asked to end by a signal.
    """

    # Neither a dataclass nor a named tuple: importing what those need takes as long as all the rest.
    def __init__(
        self, *, argv: list[str], env: dict[str, str], tag: str, cgroup: str, subreaper: bool, grace_ms: int
    ) -> None:
        self.argv = argv
        self.env = env
        self.tag = tag
        self.cgroup = cgroup
        self.subreaper = subreaper
        self.grace_ms = grace_ms


def encoded(order: Order) -> bytes:
    body = marshal.dumps(vars(order))
    return len(body).to_bytes(4, "big") + body


def main(control: int) -> None:
    os.set_inheritable(control, False)
    order = _order(control)
    if order is None:
        return
    if order.argv:
        _Keeper(control, order).keep()
    else:
        _be_warden(control, order)
    # Nothing is left to tidy up, and an interpreter takes milliseconds to find that out.
    os._exit(0)


def _order(control: int) -> Order | None:
    head = _exactly(control, 4)
    body = _exactly(control, int.from_bytes(head, "big")) if head else None
    return Order(**marshal.loads(body)) if body else None  # noqa: S302  # from the process that started us


def _exactly(descriptor: int, count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        piece = os.read(descriptor, count - len(data))
        if not piece:
            return None
        data += piece
    return data


def _be_warden(control: int, order: Order) -> None:
    # What asks for our end by a signal asks everybody: we are here for those that don't go.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    heard = b""
    while piece := _heard(control):
        heard += piece
    if b"end" in heard:
        return
    from bigtask.process import sweep

    sweep.end(lambda tag: tag == proc.plain_tag(order.tag))
    # Sessions have keepers, which ask first and then end their trees themselves.
    time.sleep(order.grace_ms / 1000)
    sweep.end(lambda tag: proc.owner_of(tag) == order.tag)


class _Keeper:
    def __init__(self, control: int, order: Order) -> None:
        self._control = control
        self._order = order
        self._group: str | None = None
        self._program = 0
        self._program_gone = False
        self._group_left = False
        self._alone = False
        self._heard = b""
        self._deadline: float | None = None
        self._asked: set[int] = set()

    def keep(self) -> None:
        if self._order.subreaper:
            from bigtask.process import kernel

            kernel.become_subreaper()
        wakeup, poked = os.pipe()
        os.set_blocking(wakeup, False)
        os.set_blocking(poked, False)
        signal.set_wakeup_fd(poked, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, frame: self._end(self._order.grace_ms))
        if self._order.cgroup:
            self._group = cgroup.make(self._order.cgroup, self._order.tag)
        try:
            if self._start():
                self._watch(wakeup)
        finally:
            if self._group:
                cgroup.remove(self._group)
        _say(self._control, "ended")

    def _start(self) -> bool:
        reading, failing = os.pipe()
        keeper = os.getpid()
        self._program = os.fork()
        if self._program == 0:
            _become(self._order, self._group, keeper, failing)
        os.close(failing)
        # Pipes that the keeper kept open would never end for the program's readers.
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        failed = os.read(reading, 16)
        os.close(reading)
        if failed:
            os.waitpid(self._program, 0)
            _say(self._control, f"failed {failed.decode()}")
            return False
        # Only the keeper waits for the program, so its number can't be another process's yet.
        found = proc.seen(self._program)
        _say(self._control, f"started {self._program} {found.started if found else 0} {self._group or ''}")
        return True

    def _watch(self, wakeup: int) -> None:
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(wakeup, select.POLLIN)
        while True:
            self._reap()
            if self._deadline is not None:
                if self._alone:
                    if self._group_left:
                        _group_signal(self._program, signal.SIGKILL)
                    return
                self._press(self._deadline)
            for descriptor, _ in poll.poll(self._wait_ms()):
                if descriptor == wakeup:
                    _drained(wakeup)
                elif not self._listen():
                    poll.unregister(self._control)

    def _wait_ms(self) -> float | None:
        if self._deadline is None:
            return None
        left = self._deadline - time.monotonic()
        return 1000 * (min(left, _LOOK_AGAIN_S) if left > 0 else _LOOK_AGAIN_S)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._alone = True
                return
            self._alone = False
            if not pid:
                return
            self._asked.discard(pid)
            if pid == self._program:
                self._program_gone = True
                # Without a subreaper its group is all that can still be reached, while there is one: then
                # the number isn't given away.
                self._group_left = not self._order.subreaper and _group_signal(pid, 0)
                _say(self._control, f"exited {os.waitstatus_to_exitcode(status)}")

    def _listen(self) -> bool:
        piece = _heard(self._control)
        if not piece:
            # The process that started this keeper was killed, or has let go of it.
            self._end(self._order.grace_ms)
            return False
        *lines, self._heard = (self._heard + piece).split(b"\n")
        for line in lines:
            self._end(int(line.split()[1]))
        return True

    def _end(self, grace_ms: int) -> None:
        """A later request can only shorten the time."""
        deadline = time.monotonic() + grace_ms / 1000
        self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)

    def _press(self, deadline: float) -> None:
        if time.monotonic() < deadline:
            self._ask()
            return
        if self._group:
            cgroup.kill(self._group)
        if not self._order.subreaper and not self._program_gone:
            _group_signal(self._program, signal.SIGKILL)
        # Children of these become ours and are met in the next round, until there are none.
        for child in _children():
            _signal(child, signal.SIGKILL)

    def _ask(self) -> None:
        """The program's group, and once the program is gone whatever it left, each once."""
        if not self._program_gone:
            if self._program not in self._asked:
                self._asked.add(self._program)
                _group_signal(self._program, signal.SIGTERM)
            return
        for child in _children():
            if child not in self._asked:
                self._asked.add(child)
                _signal(child, signal.SIGTERM)


def _become(order: Order, group: str | None, keeper: int, failing: int) -> None:
    """Between fork and exec, in a process with one thread."""
    try:
        os.setsid()
        if sys.platform == "linux":
            from bigtask.process import kernel

            kernel.die_with_parent(signal.SIGKILL)
            if os.getppid() != keeper:
                os._exit(_EXEC_FAILED)
        if group:
            _enter(group)
        # Python ignores these signals, and the program would inherit that.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        os.execvpe(order.argv[0], order.argv, order.env)  # noqa: S606  # an argument list, no shell
    except OSError as error:
        os.write(failing, str(error.errno or errno.ENOEXEC).encode())
    finally:
        os._exit(_EXEC_FAILED)


def _enter(group: str) -> None:
    try:
        cgroup.enter(group)
    except OSError:
        # The keeper still finds its descendants, without the group.
        return


def _signal(child: int, number: int) -> None:
    try:
        os.kill(child, number)
    except PermissionError:
        # The process runs as another user now. It is waited for.
        return


def _group_signal(group: int, number: int) -> bool:
    """Whether there was anybody to get it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _children() -> list[int]:
    own = os.getpid()
    try:
        with open(f"/proc/{own}/task/{own}/children") as file:
            return [int(number) for number in file.read().split()]
    except FileNotFoundError:
        # Kernels can be built without that file.
        return proc.children(own)


def _drained(wakeup: int) -> None:
    try:
        os.read(wakeup, 4096)
    except BlockingIOError:
        return


def _heard(control: int) -> bytes:
    try:
        return os.read(control, 4096)
    except ConnectionError:
        return b""


def _say(control: int, line: str) -> None:
    try:
        os.write(control, line.encode() + b"\n")
    except OSError as error:
        # Nobody listens any more: we were killed. The tree is ended all the same.
        if error.errno not in (errno.EPIPE, errno.ECONNRESET):
            raise
