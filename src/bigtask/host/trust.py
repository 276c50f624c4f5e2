"""What decides, before each session, whether its agent loads what the project brings for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

from msgspec.structs import replace

from bigtask.agents.protocol import Agent, ProjectRules
from bigtask.approvals import Approvals, Kind
from bigtask.core import observations as o
from bigtask.core.phases import trust
from bigtask.core.run import Run
from bigtask.core.values import Brought
from bigtask.host.project_rules import CommitTree, FolderTree, Listing, Tree, listing
from bigtask.sink import log
from bigtask.workspaces.source import Source


class State(StrEnum):
    NOTHING = "nothing"
    APPROVED = "approved"
    UNAPPROVED = "unapproved"
    UNAPPROVABLE = "unapprovable"
    """Something in it can't be bound to its content."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a project brings for an agent as things stand, before a run: `brought` says what has changed since
    it was approved."""

    agent: str
    root: Path
    state: State
    digest: str
    brought: tuple[Brought, ...]

    @property
    def files(self) -> dict[str, str]:
        return {file.path: file.digest for file in self.brought if file.change != "gone"}


async def standing(
    agent: Agent, source: Source, approvals: Approvals, *, commit: str | None = None
) -> Standing | None:
    """None for an agent that loads nothing by itself. Of a repository what `commit` holds counts, HEAD unless
    given; of a folder what is in it.

    Raises `GitError`, and InvalidInput where the approvals can't be read.
    """
    rules = agent.traits.project_rules
    if rules is None:
        return None
    at, root = commit or source.head, source.root
    in_git = source.git_dir is not None and at is not None
    tree: Tree = await CommitTree.of(source.git, at) if in_git and at else await FolderTree.of(root)
    seen = await listing(tree, rules, root if in_git else None)
    if not seen.brought:
        state = State.NOTHING
    elif not seen.firm:
        state = State.UNAPPROVABLE
    else:
        approved = approvals.holds(Kind.AGENT, root, seen.digest)
        state = State.APPROVED if approved else State.UNAPPROVED
    known = approvals.rules_approved(root, agent.name) if state is State.UNAPPROVED else None
    return Standing(
        agent=agent.name, root=root, state=state, digest=seen.digest, brought=compared(seen, known)
    )


class TrustGate:
    """Looks at the session's own workspace, because that is what its agent would load: what attempts have
    changed there, a resumed session's own changes among it, isn't what was approved."""

    def __init__(self, state: Run, approvals: Approvals, home: Path) -> None:
        """`home` is where bigtask keeps everything: nothing that lies between it and a workspace is the
        project's."""
        self._state = state
        self._approvals = approvals
        self._home = home
        self._told: set[str] = set()

    async def loads(self, agent: Agent, task_id: str, number: int, workspace: Path) -> bool | o.Brings:
        """Whether the session may load it; or what a person has to be asked about first.

        Raises InvalidInput where the approvals can't be read.
        """
        rules = agent.traits.project_rules
        if rules is None:
            return False
        top = self._top(workspace)
        root = Path(self._state.created.source.root)
        above = _above(top, (self._home, root), rules)
        if above is not None:
            self._tell(agent, f"{above} would be loaded with it and isn't the project's: remove it")
            return False
        checkout = root if self._state.created.source.kind == "git" else None
        seen = await listing(await FolderTree.of(top), rules, checkout)
        if not seen.brought:
            return False
        digest = seen.digest
        approved = seen.firm and self._approvals.holds(Kind.AGENT, root, digest)
        decided = trust.loads(self._state, task_id, number, digest, approved=approved) if seen.firm else False
        if decided is None:
            known = self._approvals.rules_approved(root, agent.name)
            return o.Brings(
                task_id=task_id,
                attempt=number,
                agent=agent.name,
                digest=digest,
                brought=compared(seen, known),
            )
        if decided and not approved:
            self._approvals.approve_rules(root, agent.name, digest, files_of(seen))
        if not decided and self._state.settings.project_rules is not False:
            self._tell(agent, f"it isn't approved as it is now ({trust.summary(seen.brought)})")
        return decided

    def _top(self, workspace: Path) -> Path:
        for _ in PurePosixPath(self._state.created.source.prefix).parts:
            workspace = workspace.parent
        return workspace

    def _tell(self, agent: Agent, why: str) -> None:
        if why not in self._told:
            self._told.add(why)
            words = "%s goes without what the project brings for it: %s"
            log("WorkerManager").warning(words, agent.name, why)


def files_of(seen: Listing) -> dict[str, str]:
    return {file.path: file.digest for file in seen.brought}


def compared(seen: Listing, approved: Mapping[str, str] | None) -> tuple[Brought, ...]:
    """The files that are there, each with what became of it since it was approved, and the files that have
    gone since. `approved` is digests by path, None where nothing was approved."""
    if approved is None:
        return seen.brought
    now = tuple(replace(file, change=_change(file, approved)) for file in seen.brought)
    gone = sorted(approved.keys() - files_of(seen).keys())
    return now + tuple(Brought(path=path, digest="", what=("gone",), change="gone") for path in gone)


def _change(file: Brought, approved: Mapping[str, str]) -> str:
    if file.path not in approved:
        return "new"
    return "" if approved[file.path] == file.digest else "changed"


def _above(top: Path, ours: tuple[Path, ...], rules: ProjectRules) -> Path | None:
    """Something that an agent would load as well, because it looks in the folders above its own. Above all
    of `ours` are only the person's."""
    until = [folder for folder in top.parents if folder in ours]
    for folder in top.parents if until else ():
        for name in sorted(rules.names | rules.folders):
            if (folder / name).exists():
                return folder / name
        if folder == until[-1]:
            break
    return None
