"""The ways to make git run a program that a repository can bring along.

Each sink puts one into a repository; `fires` is what makes plain git run it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from projects import Project

from .scene import Canaries, plain

HOOKS = (
    "commit-msg",
    "post-checkout",
    "post-commit",
    "post-index-change",
    "post-merge",
    "pre-commit",
    "pre-merge-commit",
    "prepare-commit-msg",
    "reference-transaction",
)


@dataclass(frozen=True, kw_only=True)
class Sink:
    name: str
    place: Callable[[Project, Canaries], None]
    fires: Callable[[Project], object]


_CAT = "exec cat 2>/dev/null"
_GIVE_UP = "exit 1"
"""What a canary does afterwards: the other side of a transport would wait for it for ever."""


def _set(*settings: tuple[str, str], name: str, then: str = _CAT) -> Callable[[Project, Canaries], None]:
    """`{}` in a value is the canary."""

    def place(project: Project, canaries: Canaries) -> None:
        program = canaries.program(name, then=then)
        for key, value in settings:
            project.git("config", key, value.replace("{}", program))

    return place


def _attributes(project: Project, line: str) -> None:
    file = project.root / ".git/info/attributes"
    file.parent.mkdir(exist_ok=True)
    with file.open("a") as opened:
        opened.write(line + "\n")


def _edit(project: Project) -> None:
    (project.root / "a.txt").write_text("one\ntwo\nedited\n")


def _with_attribute(line: str, *settings: tuple[str, str], name: str) -> Callable[[Project, Canaries], None]:
    def place(project: Project, canaries: Canaries) -> None:
        _set(*settings, name=name)(project, canaries)
        _attributes(project, line)

    return place


def _hooks(project: Project, canaries: Canaries) -> None:
    program = canaries.program("hooks")
    (project.root / ".git/hooks").mkdir(exist_ok=True)
    for hook in HOOKS:
        (project.root / ".git/hooks" / hook).symlink_to(program)


def _hooks_path(project: Project, canaries: Canaries) -> None:
    program = canaries.program("hooksPath")
    folder = canaries.place / "hooks"
    folder.mkdir()
    for hook in HOOKS:
        (folder / hook).symlink_to(program)
    project.git("config", "core.hooksPath", str(folder))


def _submodule(project: Project, canaries: Canaries) -> None:
    """A folder that is recorded as a submodule, with a repository in it that has a filter."""
    inner = project.root / "inner"
    inner.mkdir()
    (inner / "file").write_text("x\n")
    for arguments in (("init", "-q"), ("add", "file"), ("commit", "-q", "-m", "inner")):
        plain(inner, *arguments)
    project.git("-c", "advice.addEmbeddedRepo=false", "add", "inner")
    project.git("commit", "-q", "-m", "with a submodule")
    plain(inner, "config", "filter.evil.clean", canaries.program("submodule"))
    (inner / ".git/info").mkdir(exist_ok=True)
    (inner / ".git/info/attributes").write_text("* filter=evil\n")
    (inner / "file").write_text("y\n")


def _promisor(project: Project, canaries: Canaries) -> None:
    """An object that is missing and would be fetched from a remote whose other side is a program."""
    for key, value in {
        "remote.evil.url": str(canaries.place),
        "remote.evil.promisor": "true",
        "remote.evil.uploadpack": canaries.program("promisor", then=_GIVE_UP),
        "extensions.partialClone": "evil",
        "core.repositoryFormatVersion": "1",
        "protocol.file.allow": "always",
        "protocol.allow": "always",
    }.items():
        project.git("config", key, value)


def _worktree_settings(project: Project, canaries: Canaries) -> None:
    project.git("config", "extensions.worktreeConfig", "true")
    project.git("config", "--worktree", "core.fsmonitor", canaries.program("worktree"))


def _branch_with_conflict(project: Project) -> None:
    plain(project.root, "checkout", "-q", "-b", "other")
    _edit(project)
    plain(project.root, "commit", "-qam", "other")
    plain(project.root, "checkout", "-q", "trunk")
    (project.root / "a.txt").write_text("ours\ntwo\nthree\n")
    plain(project.root, "commit", "-qam", "ours")
    plain(project.root, "merge", "other")


def _fire(*arguments: str, edited: bool = False) -> Callable[[Project], object]:
    def fires(project: Project) -> object:
        if edited:
            _edit(project)
        return plain(project.root, *arguments)

    return fires


def _credential(project: Project) -> None:
    asked = b"protocol=https\nhost=nowhere.invalid\n\n"
    plain(project.root, "credential", "fill", input=asked)


HARMLESS = (
    Sink(name="hooks", place=_hooks, fires=_fire("checkout", "-q", "-b", "x")),
    Sink(name="fsmonitor", place=_set(("core.fsmonitor", "{}"), name="fsmonitor"), fires=_fire("status")),
    Sink(name="worktree", place=_worktree_settings, fires=_fire("status")),
    Sink(
        name="external",
        place=_set(("diff.external", "{}"), name="external"),
        fires=_fire("diff", edited=True),
    ),
    Sink(
        name="textconv",
        place=_with_attribute("*.txt diff=evil", ("diff.evil.textconv", "{}"), name="textconv"),
        fires=_fire("diff", "--no-ext-diff", edited=True),
    ),
    Sink(
        name="driver",
        place=_with_attribute("*.txt diff=other", ("diff.other.command", "{}"), name="driver"),
        fires=_fire("diff", edited=True),
    ),
    Sink(
        name="signing",
        place=_set(("commit.gpgSign", "true"), ("gpg.program", "{}"), name="signing"),
        fires=_fire("commit", "--allow-empty", "-m", "x"),
    ),
    Sink(
        name="editor",
        place=_set(("core.editor", "{}"), name="editor"),
        fires=_fire("commit", "--allow-empty"),
    ),
    Sink(
        name="ssh",
        place=_set(
            ("core.sshCommand", "{}"), ("remote.s.url", "ssh://nowhere.invalid/x"), name="ssh", then=_GIVE_UP
        ),
        fires=_fire("fetch", "s"),
    ),
    Sink(
        name="ext",
        place=_set(
            ("remote.e.url", "ext::{} x"), ("protocol.ext.allow", "always"), name="ext", then=_GIVE_UP
        ),
        fires=_fire("fetch", "e"),
    ),
    Sink(
        name="credential",
        place=_set(("credential.helper", "{}"), name="credential"),
        fires=_credential,
    ),
    Sink(name="alias", place=_set(("alias.st", "!{}"), name="alias"), fires=_fire("st")),
    Sink(
        name="trailer",
        place=_set(("trailer.x.key", "X"), ("trailer.x.command", "{}"), name="trailer"),
        fires=_fire("interpret-trailers", "a.txt"),
    ),
    Sink(name="submodule", place=_submodule, fires=_fire("status")),
    Sink(name="promisor", place=_promisor, fires=_fire("cat-file", "-p", "1" * 40)),
)
"""What no call of bigtask reaches: a run goes on as if it weren't there."""

HOOKS_PATH = Sink(name="hooksPath", place=_hooks_path, fires=_fire("checkout", "-q", "-b", "x"))


def _include(project: Project, canaries: Canaries, *, key: str, name: str) -> None:
    file = canaries.place / f"{name}.settings"
    file.write_text(f'[core]\n\tfsmonitor = "{canaries.program(name)}"\n')
    project.git("config", key, str(file))


REFUSED = (
    Sink(
        name="clean",
        place=_with_attribute("* filter=evil", ("filter.evil.clean", "{}"), name="clean"),
        fires=_fire("add", "a.txt", edited=True),
    ),
    Sink(
        name="smudge",
        place=_with_attribute("* filter=evil", ("filter.evil.smudge", "{}"), name="smudge"),
        fires=lambda project: ((project.root / "a.txt").unlink(), plain(project.root, "checkout", "a.txt")),
    ),
    Sink(
        name="process",
        place=_with_attribute("* filter=evil", ("filter.evil.process", "{}"), name="process"),
        fires=_fire("add", "a.txt", edited=True),
    ),
    Sink(
        name="merge",
        place=_with_attribute("* merge=evil", ("merge.evil.driver", "{}"), name="merge"),
        fires=_branch_with_conflict,
    ),
    Sink(
        name="include",
        place=lambda project, canaries: _include(project, canaries, key="include.path", name="include"),
        fires=_fire("status"),
    ),
    Sink(
        name="includeIf",
        place=lambda project, canaries: _include(
            project, canaries, key="includeIf.gitdir:**.path", name="includeIf"
        ),
        fires=_fire("status"),
    ),
)
"""What can't be taken out without changing what is committed: a person has to allow it."""
