"""The worktree of the integration branch, which follows that branch. What somebody left in its way is kept
under a rescue ref."""

from __future__ import annotations

from dataclasses import dataclass

from bigtask.errors import GitError
from bigtask.workspaces import names
from bigtask.workspaces.sparse import show_changed
from bigtask.workspaces.worktree import Rescue, Worktree

_LOOKED_AT = 64
"""How many merges it may lag behind and still be known for what it is."""


@dataclass(frozen=True, kw_only=True)
class IntegrationTree:
    run_id: str
    tree: Worktree

    async def catch_up(self) -> None:
        """Bring it to its branch, where a crash came between the two."""
        self.tree.free_index()
        git = self.tree.git
        if (await git.call("diff-index", "--cached", "--quiet", "HEAD", "--", statuses=(0, 1))).status == 0:
            return
        try:
            staged = await git.word("write-tree")
        except GitError:
            await self.force_back()
            return
        printed = await git.word(
            "log", "--first-parent", f"--max-count={_LOOKED_AT}", "--format=%H %T", "HEAD", "--"
        )
        for line in printed.splitlines():
            commit, content = line.split(" ")
            if content == staged:
                await self.follow(commit, "HEAD")
                return
        # Staged by a session and not lagging: that is somebody's work.

    async def follow(self, old: str, new: str) -> None:
        """From the files of one commit to those of another."""
        try:
            await self.tree.git.call("read-tree", "-m", "-u", old, new)
        except GitError:
            await self.force_back()
        else:
            await show_changed(self.tree.git, self.tree.base)

    async def force_back(self) -> Rescue | None:
        """Somebody left changes where the branch has other ones: keep them, and follow the branch."""
        prefix = names.rescue_ref(self.run_id, names.INTEGRATION, 1).rpartition("/")[0]
        n = 1 + len(await self.tree.repository.refs(prefix))
        return await self.tree.rescue(names.rescue_ref(self.run_id, names.INTEGRATION, n), start="HEAD")
