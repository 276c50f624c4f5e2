"""What a repository's own settings can make git run, and what is done about each of them.

Set to nothing in every call (`NEUTRAL`):
    hooks and `core.hooksPath`, `core.fsmonitor`, `diff.external`, pagers, editors, signing, credentials
Never reached, because no call asks for them:
    `diff.*.command`, `diff.*.textconv`, `trailer.*`, `alias.*`, the tools of `difftool` and `mergetool`
Never reached, because no transport is allowed:
    `core.sshCommand`, `remote.*.uploadpack`, `remote.*.vcs`, promisor remotes, `core.gitProxy`, `url.*`
Never reached, because nothing looks into submodules:
    `submodule.*.update`, and the settings of a repository that lies inside
Replaced by ours: `filter.lfs.*`, by `large_files_filter`
Allowed by a person, or the repository is refused:
    other `filter.*`, `merge.*.driver`, `hook.*.command`, `include.path`, `includeIf.*.path`

The last can't be set to nothing: what passes a filter is another content with it than without it (a file
would be committed unencrypted, or a placeholder in place of a large file), and a file that is included can
name any of these.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bigtask.approvals import digest_of
from bigtask.errors import Forbidden
from bigtask.workspaces import large_files_filter

NEUTRAL = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.pager=cat",
    "core.editor=false",
    "sequence.editor=false",
    "core.askPass=",
    "core.sshCommand=false",
    "core.gitProxy=none",
    "core.alternateRefsCommand=",
    # Paths that mean `.git` on another file system are refused on every one.
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "gpg.program=false",
    "gpg.ssh.program=false",
    "gpg.x509.program=false",
    "log.showSignature=false",
    "diff.external=",
    "interactive.diffFilter=cat",
    "gc.auto=0",
    "maintenance.auto=false",
    "credential.helper=",
    "submodule.recurse=false",
    # Objects that aren't here are missing: nothing is fetched behind anybody's back.
    "protocol.allow=never",
    # A folder in a project that merely looks like a repository isn't taken for one.
    "safe.bareRepository=explicit",
)

_PROGRAM = re.compile(
    r"filter\.(?!lfs\.(clean|smudge|process)\Z).*\.(clean|smudge|process)"
    r"|merge\..*\.driver|hook\..*\.command",
    re.DOTALL,
)
_INCLUDE = re.compile(r"include\.path|includeif\..*\.path", re.DOTALL)


@dataclass(frozen=True, kw_only=True, order=True)
class Program:
    """A setting that names a program or a file of further settings. `content` is the digest of that file, or
    empty."""

    key: str
    value: str
    content: str = ""


def for_large_files(common_dir: Path) -> tuple[str, ...]:
    """Files of Git LFS are converted by ours, from and to what the repository's git dir has of them."""
    python, store = shlex.quote(sys.executable), shlex.quote(str(common_dir / "lfs" / "objects"))
    return (
        f"filter.lfs.process={python} -I -S {shlex.quote(large_files_filter.__file__)} {store}",
        # These would be next, had the process failed.
        "filter.lfs.clean=",
        "filter.lfs.smudge=",
        "filter.lfs.required=true",
    )


Allowed = Callable[[Path, str], bool]
"""Whether a person has allowed the settings in that file with that digest."""


def nothing_allowed(_path: Path, _digest: str) -> bool:
    return False


class SettingsNotApproved(Forbidden):
    """Settings of a repository that nobody has allowed as they are now. Whoever shows `programs` to a person
    may approve `digest` for `path`."""

    def __init__(self, path: Path, programs: Iterable[Program]) -> None:
        self.path = path
        self.programs = tuple(sorted(programs))
        self.digest = digest(self.programs)
        named = ", ".join(sorted({program.key for program in self.programs}))
        super().__init__(
            f"{path} sets {named}, with which git runs programs, and that hasn't been approved as it is now: "
            "look at it, then allow it with `bigtask approve`, or take it out of that file"
        )


def digest(programs: Iterable[Program]) -> str:
    """What is approved: every one of them, in any order."""
    return digest_of(sorted((program.key, program.value, program.content) for program in programs))


def read_entries(printed: bytes) -> tuple[tuple[str, str, str], ...]:
    """From `git config --list -z --show-origin`: `(origin, key, value)`."""
    fields = os.fsdecode(printed).split("\0")
    pairs = zip(fields[0::2], fields[1::2], strict=False)
    return tuple((origin, *_split(entry)) for origin, entry in pairs)


def names_program(key: str) -> bool:
    return _PROGRAM.fullmatch(key) is not None


def names_file(key: str) -> bool:
    return _INCLUDE.fullmatch(key) is not None


def signature(file: Path) -> tuple[int, ...]:
    """Another one when the file may have changed."""
    try:
        about = file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return about.st_ino, about.st_mode, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def _split(entry: str) -> tuple[str, str]:
    key, _, value = entry.partition("\n")
    return key, value
