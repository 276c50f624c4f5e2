"""What may go to git as the name of something. Every name from outside passes one of these.

Git takes a word that begins with a dash for an option wherever it stands, and some of its options run
programs or write files (`--upload-pack=…`, `--output=…`). So options are a closed list here, and everything
else is either of a type below or comes after `--end-of-options`, `--` or by standard input.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bigtask.errors import InvalidInput

_LONGEST = 1_000
_ENDS_OPTIONS = frozenset({"--", "--end-of-options"})

# What `git check-ref-format` refuses, from its manual page.
_NO_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|(?:^|/)\.|\.(?:$|/$)|\.lock(?:$|/)|/$")

OPTIONS = frozenset(
    {
        "-",  # a value: standard input
        "-F",
        "-L",
        "-b",
        "-d",
        "-m",
        "-p",
        "-q",
        "-r",
        "-u",
        "-v",
        "-w",
        "-z",
        "--add",
        "--allow-unrelated-histories",
        "--bare",
        "--branch",
        "--cached",
        "--count",
        "--create-reflog",
        "--detach",
        "--diff3",
        "--diff-filter",
        "--directory",
        "--exclude-from",
        "--exclude-standard",
        "--file",
        "--first-parent",
        "--force-remove",
        "--format",
        "--get-regexp",
        "--git-common-dir",
        "--git-dir",
        "--hard",
        "--ignore-submodules",
        "--ignored",
        "--index-info",
        "--is-ancestor",
        "--is-bare-repository",
        "--is-inside-work-tree",
        "--list",
        "--max-count",
        "--name-only",
        "--no-assume-unchanged",
        "--no-color",
        "--no-deref",
        "--no-ext-diff",
        "--no-includes",
        "--no-messages",
        "--no-recurse-submodules",
        "--no-renames",
        "--no-skip-worktree",
        "--no-textconv",
        "--numstat",
        "--others",
        "--ours",
        "--path",
        "--path-format",
        "--porcelain",
        "--quiet",
        "--raw",
        "--refresh",
        "--remove",
        "--replace",
        "--show-origin",
        "--show-prefix",
        "--show-scope",
        "--show-toplevel",
        "--skip-worktree",
        "--stage",
        "--stdin",
        "--template",
        "--theirs",
        "--type",
        "--untracked-files",
        "--verify",
        "--version",
        "--write-tree",
    }
)
"""Every option that bigtask gives to git, without its value. None of them runs or overwrites anything."""


class Ref(str):
    """The full name of a ref, as `refs/heads/trunk`. Raises InvalidInput for what git wouldn't take."""

    __slots__ = ()

    def __new__(cls, name: str) -> Ref:
        # A surrogate is a byte that isn't UTF-8: git takes it, and a name in the log can't hold it.
        plain = name.startswith("refs/") and len(name) <= _LONGEST and not _NO_REF.search(name)
        if not plain or not _is_utf8(name):
            raise InvalidInput(f"{name[:80]!r} can't be the name of a branch or ref: choose another one")
        return super().__new__(cls, name)


class Revision(str):
    """What a person may type for a commit. Raises InvalidInput for what can't be one."""

    __slots__ = ()

    def __new__(cls, text: str) -> Revision:
        if not text or text.startswith("-") or len(text) > _LONGEST or not text.isprintable():
            raise InvalidInput(f"{text[:80]!r} is no commit: choose a branch, a tag or a commit")
        return super().__new__(cls, text)


def require_plain(arguments: Sequence[str]) -> None:
    """Raises InvalidInput where a value would be taken for an option, or can't be an argument at all."""
    for argument in arguments:
        if "\0" in argument:
            raise InvalidInput(f"{argument[:80]!r} holds a NUL character: choose another name")
    for argument in arguments:
        if argument in _ENDS_OPTIONS:
            return
        if argument.startswith("-") and argument.partition("=")[0] not in OPTIONS:
            raise InvalidInput(f"{argument[:80]!r} begins like an option of git: choose another name")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
