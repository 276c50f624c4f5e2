"""Git, called in one way. No other module starts it.

Where the repository is and where its files are comes from us, never from what lies in a folder, and nothing
that a repository's settings name is run unless a person has allowed it (`settings` has the list).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from bigtask.errors import GitError, InvalidInput
from bigtask.process import Finished, minimal_env, run
from bigtask.workspaces.gates import Ref, Revision, require_plain
from bigtask.workspaces.moments import Watch, step, unwatched
from bigtask.workspaces.settings import NEUTRAL

Guard = Callable[[Path], Awaitable[None]]

NOTHING = ""
"""Where a ref points that doesn't exist yet."""

_TIMEOUT_S = 600.0
"""For what looks at every file, of which there may be half a million on a slow disk."""

_SHORT_TIMEOUT_S = 60.0
_SHORT = frozenset(
    {
        "commit-tree",
        "config",
        "for-each-ref",
        "merge-base",
        "mktree",
        "rev-parse",
        "symbolic-ref",
        "update-ref",
    }
)
"""What looks at names and single objects."""

_OUTPUT_BYTES = 128 * 2**20
"""Of half a million changed files; more than that isn't one request."""

_ALWAYS = {
    # To know whether a submodule has changes, git would run itself in there, under that one's own settings.
    "status": ("--ignore-submodules=dirty",),
    "diff-files": ("--ignore-submodules=dirty",),
    "diff-index": ("--ignore-submodules=dirty", "--no-ext-diff", "--no-textconv"),
    "diff-tree": ("--no-ext-diff", "--no-textconv"),
}
_ENV = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    # Looking must not write: a status refreshes the index otherwise.
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_GRAFT_FILE": "/dev/null",
    # Over every `protocol.*.allow` of the repository's settings.
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_AUTHOR_NAME": "bigtask",
    "GIT_AUTHOR_EMAIL": "bigtask@localhost",
    "GIT_COMMITTER_NAME": "bigtask",
    "GIT_COMMITTER_EMAIL": "bigtask@localhost",
    "LC_ALL": "C",
}


@dataclass(frozen=True, kw_only=True)
class Git:
    """A repository seen from one of its working trees.

    `git_dir` is that working tree's own: for a linked worktree the one under `worktrees/`. `settings` are
    further `key=value` settings. Every method raises `GitError`.
    """

    git_dir: Path
    work_tree: Path | None = None
    index: Path | None = None
    """Another file than the repository's index, for work that it must not see."""

    settings: tuple[str, ...] = ()
    guard: Guard | None = None
    """Asked before every call with `git_dir`; what it raises is raised."""

    watch: Watch = unwatched

    async def call(
        self,
        *arguments: str,
        input: bytes | None = None,
        statuses: Sequence[int] = (0,),
        limit_bytes: int = _OUTPUT_BYTES,
    ) -> Finished:
        """What git printed, whole. An exit status that isn't among `statuses` is an error."""
        finished = await self.peek(*arguments, input=input, statuses=statuses, limit_bytes=limit_bytes)
        if finished.truncated:
            raise GitError(arguments, finished.status, f"it printed more than {limit_bytes} bytes")
        return finished

    async def peek(
        self,
        *arguments: str,
        input: bytes | None = None,
        statuses: Sequence[int] = (0,),
        limit_bytes: int,
    ) -> Finished:
        """As `call`, where the middle of the output may be lost."""
        require_plain(arguments)
        if self.guard is not None:
            await self.guard(self.git_dir)
        verb, rest = arguments[0], arguments[1:]
        tree = [f"--work-tree={self.work_tree}"] if self.work_tree else []
        env = {"GIT_INDEX_FILE": str(self.index)} if self.index else {}
        timeout_s = _SHORT_TIMEOUT_S if verb in _SHORT else _TIMEOUT_S
        self.watch("before", step(verb))
        finished = await _git(
            [
                f"--git-dir={self.git_dir}",
                *tree,
                *_configured(self.settings),
                verb,
                *_ALWAYS.get(verb, ()),
                *rest,
            ],
            cwd=self.work_tree or self.git_dir,
            env=env,
            input=input,
            limit_bytes=limit_bytes,
            timeout_s=timeout_s,
            base=_ENV,
        )
        self.watch("after", step(verb))
        if finished.timed_out:
            raise GitError(arguments, finished.status, f"it wasn't done after {timeout_s:.0f} s")
        if finished.status not in statuses:
            printed = (finished.stderr or finished.stdout).decode(errors="replace")
            raise GitError(arguments, finished.status, printed[-4096:])
        return finished

    async def word(self, *arguments: str, input: bytes | None = None) -> str:
        """What git printed, without the newline at its end: an id or a name."""
        return (await self.call(*arguments, input=input)).stdout.decode().strip()

    @asynccontextmanager
    async def scratch_index(self) -> AsyncIterator[Git]:
        """The same with a copy of its index, which is gone afterwards."""
        with TemporaryDirectory(prefix="bigtask-index-") as folder:
            index = Path(folder) / "index"
            with suppress(FileNotFoundError):
                # Its knowledge of unchanged files saves reading every one of them again.
                index.write_bytes((self.git_dir / "index").read_bytes())
            yield replace(self, index=index)

    async def commit(self, revision: str) -> str | None:
        """The id of the commit that a revision names, or None. Takes what people type."""
        try:
            named = f"{Revision(revision)}^{{commit}}"
        except InvalidInput:
            return None
        arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", named)
        finished = await self.call(*arguments, statuses=(0, 1, 128))
        return finished.stdout.decode().strip() or None if finished.status == 0 else None

    async def refs(self, *names: str) -> dict[str, str]:
        """The ids of those of the refs that exist. A name stands for itself and for everything below it."""
        wanted = [Ref(name.removesuffix("/")) for name in names]
        printed = await self.call("for-each-ref", "--format=%(objectname) %(refname)", "--", *wanted)
        found = (line.split(" ", 1) for line in os.fsdecode(printed.stdout).split("\n") if line)
        return {name: commit for commit, name in found}

    async def move_ref(self, name: str, *, to: str, of: str, why: str) -> None:
        """Point a ref elsewhere if it is where we think it is (`NOTHING`: if it doesn't exist)."""
        await self.call("update-ref", "-m", why, "--create-reflog", "--", Ref(name), to, of)

    async def empty_tree(self) -> str:
        return await self.word("mktree", input=b"")

    async def write_commit(self, tree: str, parents: Sequence[str], message: str) -> str:
        """A commit object that no ref points to yet."""
        arguments = [argument for parent in parents for argument in ("-p", parent)]
        return await self.word("commit-tree", *arguments, "-F", "-", tree, input=message.encode())

    async def is_ancestor(self, older: str, newer: str) -> bool:
        arguments = ("merge-base", "--is-ancestor", "--", older, newer)
        return (await self.call(*arguments, statuses=(0, 1))).status == 0


async def outside(
    *arguments: str, cwd: Path, settings: tuple[str, ...] = (), plain: bool = False, neutral: bool = True
) -> Finished:
    """Git where no repository is known yet: to find one, to make one, or to read settings. Any exit status is
    an answer.

    `plain` leaves the person's own settings in force, in order to read them; without `neutral` ours aren't
    among what is listed.
    """
    env = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"} if plain else {}
    return await _git(
        [*(_configured(settings) if neutral else ()), *arguments],
        cwd=cwd,
        env=env,
        limit_bytes=2**20,
        timeout_s=_SHORT_TIMEOUT_S,
        base={} if plain else _ENV,
    )


def _configured(settings: Sequence[str]) -> list[str]:
    return [argument for setting in (*settings, *NEUTRAL) for argument in ("-c", setting)]


async def _git(
    arguments: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    limit_bytes: int,
    timeout_s: float,
    input: bytes | None = None,
    base: Mapping[str, str],
) -> Finished:
    path = _path()
    return await run(
        [which("git", path=path) or "git", "--no-pager", *arguments],
        cwd=cwd,
        env=minimal_env({**base, **env, "PATH": path}),
        timeout_s=timeout_s,
        input=input,
        limit_bytes=limit_bytes,
    )


def _path() -> str:
    """Where programs are looked for, without places that depend on the folder: that one belongs to others."""
    places = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(place for place in places if os.path.isabs(place))
