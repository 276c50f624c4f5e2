"""States that somebody may leave a repository in, drawn from a seed, and what must be found again of them."""

from __future__ import annotations

import os
import random
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from projects import ENV

LONG = "n" * 240
_LOCAL = ("-c", "protocol.file.allow=always")
_ODD = ("sp ace\nline", "-rf", ":(top)x", "ünï/ñámé", "n\u0303", LONG, "/".join("d" * 20), "*?[x]", 'q"uote')


@dataclass
class Tree:
    """A working tree in somebody's hands. What git refuses to do there isn't done."""

    root: Path
    rng: random.Random
    done: list[str] = field(default_factory=list)

    def git(self, *arguments: str, at: Path | None = None) -> str:
        env = {**ENV, "GIT_EDITOR": "true", "GIT_OPTIONAL_LOCKS": "0"}
        ran = subprocess.run(
            ["git", *_LOCAL, *arguments], cwd=at or self.root, env=env, check=False, capture_output=True
        )
        return os.fsdecode(ran.stdout)

    def put(self, path: str, ending: str = "\n") -> None:
        file = self.root / path
        if (file.is_dir() and not file.is_symlink()) or _behind_a_file(self.root, file):
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        lines = [self.rng.randbytes(12).hex() for _ in range(3)]
        file.write_bytes("".join(line + ending for line in lines).encode())

    def leave(self, deeds: Iterable[str]) -> None:
        for deed in deeds:
            DEEDS[deed](self)
            self.done.append(deed)


def _behind_a_file(root: Path, file: Path) -> bool:
    above = file.parent
    while above != root:
        if above.is_symlink() or (above.exists() and not above.is_dir()):
            return True
        above = above.parent
    return False


def _staged(tree: Tree) -> None:
    tree.put("a.txt")
    tree.git("add", "--", "a.txt")


def _staged_and_edited(tree: Tree) -> None:
    tree.put("lib/b.txt")
    tree.git("add", "--", "lib/b.txt")
    tree.put("lib/b.txt")


def _commit(tree: Tree) -> None:
    tree.put("a.txt")
    tree.git("commit", "-q", "-a", "-m", "somebody")


def _amended(tree: Tree) -> None:
    tree.git("commit", "-q", "--amend", "--allow-empty", "-m", "amended")


def _remove(tree: Tree) -> None:
    (tree.root / "lib/b.txt").unlink(missing_ok=True)


def _intent(tree: Tree) -> None:
    name = f"intended{tree.rng.randint(0, 9)}"
    tree.put(name)
    tree.git("add", "-N", "--", name)


def _assumed(tree: Tree) -> None:
    tree.git("update-index", "--assume-unchanged", "lib/b.txt")
    tree.put("lib/b.txt")


def _skipped(tree: Tree) -> None:
    tree.git("update-index", "--skip-worktree", "lib/deep/c.txt")
    tree.put("lib/deep/c.txt")


def _modes(tree: Tree) -> None:
    for name, mode in (("a.txt", 0o755), ("lib/deep/c.txt", 0o600)):
        file = tree.root / name
        if file.exists() and not file.is_symlink():
            file.chmod(mode)


def _link(tree: Tree) -> None:
    file = tree.root / tree.rng.choice(["lib/b.txt", "newlink", "link"])
    if not _behind_a_file(tree.root, file):
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.is_dir() or file.is_symlink():
            file.unlink(missing_ok=True)
            file.symlink_to(tree.rng.choice(["a.txt", "/nowhere/else", "lib"]))


def _folder_for_a_file(tree: Tree) -> None:
    tree.git("rm", "-q", "--cached", "--", "a.txt")
    if not (tree.root / "a.txt").is_dir():
        (tree.root / "a.txt").unlink(missing_ok=True)
    tree.put("a.txt/inner")


def _nested(tree: Tree) -> None:
    for name in ("cloned", "build/clone"):
        tree.put(f"{name}/file")
        tree.git("init", "-q", at=tree.root / name)
        tree.git("add", "file", at=tree.root / name)
        tree.put(f"{name}/file")


def _odd(tree: Tree) -> None:
    for name in tree.rng.sample(_ODD, 3):
        tree.put(name)
    with (Path(os.fsdecode(os.fsencode(tree.root) + b"/by\xfftes"))).open("wb") as file:
        file.write(tree.rng.randbytes(9))


def _empty_folders(tree: Tree) -> None:
    (tree.root / "empty/inner").mkdir(parents=True, exist_ok=True)


def _no_permission(tree: Tree) -> None:
    tree.put("secret")
    if (tree.root / "secret").is_file():
        (tree.root / "secret").chmod(0o400)


def _line_ends(tree: Tree) -> None:
    tree.put("crlf.txt", "\r\n")


def _attributes(tree: Tree) -> None:
    (tree.root / ".gitattributes").write_text("*.txt text eol=crlf\n")
    tree.put("lib/b.txt", "\r\n")


def _ignores(tree: Tree) -> None:
    (tree.root / ".gitignore").write_text("*.log\nbuild/\nfresh*\n")
    tree.put("fresh.txt")


def _stash(tree: Tree) -> None:
    tree.put("a.txt")
    tree.git("stash", "-q")


def _orphan(tree: Tree) -> None:
    tree.git("checkout", "-q", "--orphan", f"orphan{tree.rng.randint(0, 10**6)}")


def _switched(tree: Tree) -> None:
    tree.git("checkout", "-q", "-b", f"b{tree.rng.randint(0, 10**9)}")


def _in_submodule(tree: Tree) -> None:
    if not (tree.root / "sub/.git").exists():
        # Its files are there without it: git wants the place empty.
        shutil.rmtree(tree.root / "sub", ignore_errors=True)
    tree.git("submodule", "--quiet", "update", "--init", "sub")
    if (tree.root / "sub/.git").exists():
        tree.put("sub/inner.txt")
        if tree.rng.random() < 0.5:
            tree.git("commit", "-q", "-a", "-m", "within", at=tree.root / "sub")
            tree.put("sub/inner.txt")
        tree.put("sub/new.txt")


def _sparse(tree: Tree) -> None:
    tree.git("sparse-checkout", "set", "lib/deep")


def _conflict(*arguments: str) -> Callable[[Tree], None]:
    def made(tree: Tree) -> None:
        tree.git("stash", "-q") if tree.rng.random() < 0.3 else _commit(tree)
        tree.git(*arguments)
        if tree.rng.random() < 0.5:
            tree.put("a.txt")

    return made


DEEDS: dict[str, Callable[[Tree], None]] = {
    "edited": lambda tree: tree.put("a.txt"),
    "staged": _staged,
    "staged and edited": _staged_and_edited,
    "untracked": lambda tree: tree.put(f"new{tree.rng.randint(0, 2)}/file"),
    "ignored": lambda tree: tree.put(tree.rng.choice(["x.log", "build/deep/out"])),
    "removed": _remove,
    "renamed": lambda tree: tree.git("mv", "bin/tool", "bin/renamed") and None,
    "removed from the index": lambda tree: tree.git("rm", "-q", "--cached", "--", "lib/b.txt") and None,
    "intended": _intent,
    "assumed unchanged": _assumed,
    "skipped": _skipped,
    "modes": _modes,
    "link": _link,
    "folder for a file": _folder_for_a_file,
    "nested": _nested,
    "odd names": _odd,
    "empty folders": _empty_folders,
    "no permission": _no_permission,
    "line ends": _line_ends,
    "attributes": _attributes,
    "ignores": _ignores,
    "stashed": _stash,
    "committed": _commit,
    "amended": _amended,
    "detached": lambda tree: tree.git("checkout", "-q", "--detach") and None,
    "switched": _switched,
    "orphan": _orphan,
    "in a submodule": _in_submodule,
    "sparse": _sparse,
    "merging": _conflict("merge", "-q", "other"),
    "rebasing": _conflict("rebase", "-q", "other"),
    "rebasing with autostash": _conflict("rebase", "-q", "--autostash", "other"),
    "picking": _conflict("cherry-pick", "other"),
    "reverting": _conflict("revert", "--no-edit", "HEAD"),
}
WHOLE = ("merging", "rebasing", "rebasing with autostash", "picking", "reverting", "detached", "orphan")
"""What the whole tree is in; at most one of them at a time, and last but for edits."""
CALM = (
    "untracked",
    "ignored",
    "assumed unchanged",
    "skipped",
    "nested",
    "odd names",
    "empty folders",
    "no permission",
    "stashed",
    "committed",
    "amended",
    "switched",
    "sparse",
)
"""What leaves nothing that git would call an uncommitted change."""
_PARTS = tuple(deed for deed in DEEDS if deed not in WHOLE)


def drawn(rng: random.Random) -> list[str]:
    """Some deeds, in an order in which they may happen."""
    deeds = rng.sample(_PARTS, rng.randint(1, 5))
    if rng.random() < 0.45:
        deeds.append(rng.choice(WHOLE))
        deeds += rng.sample(["edited", "untracked", "ignored", "staged"], rng.randint(0, 2))
    return deeds


def base(place: Path) -> Path:
    """A repository whose files, branches and submodule the deeds are about; to be copied."""
    inner = Tree(place / "inner", random.Random(0))
    inner.root.mkdir(parents=True)
    inner.git("init", "-q", "-b", "trunk")
    inner.put("inner.txt")
    inner.git("add", "-A")
    inner.git("commit", "-q", "-m", "inner")
    tree = Tree(place / "project", random.Random(0))
    tree.root.mkdir()
    tree.git("init", "-q", "-b", "trunk")
    for name in ("a.txt", "lib/b.txt", "lib/deep/c.txt", "bin/tool", "crlf.txt", "ünï/ñ.txt", "other.txt"):
        tree.put(name)
    (tree.root / "bin/tool").chmod(0o755)
    (tree.root / "link").symlink_to("lib/b.txt")
    (tree.root / ".gitignore").write_text("*.log\nbuild/\n")
    tree.git("submodule", "--quiet", "add", str(inner.root), "sub")
    tree.git("add", "-A")
    tree.git("commit", "-q", "-m", "begin")
    tree.git("checkout", "-q", "-b", "other")
    tree.put("a.txt")
    tree.git("commit", "-q", "-a", "-m", "other")
    tree.git("checkout", "-q", "trunk")
    tree.put("lib/b.txt")
    tree.git("commit", "-q", "-a", "-m", "second")
    return tree.root


def clean(root: Path, place: Path, rng: random.Random) -> Tree:
    """A copy of `root` at `place`."""
    shutil.copytree(root, place, symlinks=True)
    return Tree(place, rng)


def person(root: Path, place: Path, rng: random.Random, *, calm: bool = False) -> Tree:
    """The same, in a state that its person has left it in; sometimes without a commit."""
    if rng.random() < 0.06:
        place.mkdir()
        tree = Tree(place, rng)
        tree.git("init", "-q", "-b", "trunk")
        tree.leave(rng.sample(["edited", "staged", "intended", "untracked", "odd names", "nested"], 3))
        tree.done.append("no commit yet")
        return tree
    tree = clean(root, place, rng)
    if rng.random() < 0.15:
        tree.git("config", "core.autocrlf", rng.choice(["input", "true"]))
    tree.leave(rng.sample(CALM, rng.randint(1, 5)) if calm else drawn(rng))
    return tree


def files(root: Path) -> dict[str, str]:
    """Every file, link and folder below `root` without its `.git`: mode and content."""
    found: dict[str, str] = {}
    for at, folders, names in os.walk(root):
        if Path(at) == root and ".git" in folders:
            folders.remove(".git")
        if not folders and not names:
            found[os.path.relpath(at, root)] = "an empty folder"
        for name in (*names, *(one for one in folders if Path(at, one).is_symlink())):
            file = Path(at, name)
            mode = file.lstat().st_mode
            content = os.readlink(file).encode() if stat.S_ISLNK(mode) else file.read_bytes()
            found[os.path.relpath(file, root)] = f"{mode:o} {content!r}"
    found.pop(".git", None)
    return found


def records(root: Path, *, index: bool = True) -> dict[str, str]:
    """What git keeps for its person: everything but objects, what is called bigtask and worktrees; the index
    byte for byte or, without `index`, by what it says."""
    git_dir = root / ".git"
    found: dict[str, str] = {}
    for at, folders, names in os.walk(git_dir):
        below = os.path.relpath(at, git_dir)
        for name in list(folders):
            if name in ("objects", "bigtask") or (below == "." and name == "worktrees"):
                folders.remove(name)
        for name in names:
            if below == "." and name == "index" and not index:
                continue
            file = Path(at, name)
            found[os.path.normpath(f"{below}/{name}")] = repr(file.read_bytes())
    found["said of the index"] = said_of_index(root)
    return found


def said_of_index(root: Path) -> str:
    return Tree(root, random.Random()).git("ls-files", "--stage", "-v", "-z")


def contents(root: Path, also: Iterable[Path] = ()) -> set[bytes]:
    """Of every file below, whole; of a link where it leads. Without the `.git` file of a worktree."""
    found = set()
    for top in (root, *also):
        for at, _, names in os.walk(top):
            for name in names:
                file = Path(at, name)
                if file == root / ".git":
                    continue
                found.add(os.fsencode(os.readlink(file)) if file.is_symlink() else file.read_bytes())
    return found


def reachable(root: Path) -> set[bytes]:
    """Every blob that some ref of the repository leads to."""
    tree = Tree(root, random.Random())
    ids = "\n".join(line.split(" ")[0] for line in tree.git("rev-list", "--all", "--objects").splitlines())
    told = subprocess.run(
        ["git", "cat-file", "--batch"], cwd=root, env=ENV, input=ids.encode(), capture_output=True, check=True
    ).stdout
    found, at = set(), 0
    while at < len(told):
        end = told.index(b"\n", at)
        _, kind, size = told[at:end].split(b" ")
        if kind == b"blob":
            found.add(told[end + 1 : end + 1 + int(size)])
        at = end + int(size) + 2
    return found


def plain(found: Iterable[bytes]) -> set[bytes]:
    """Without the line ends that git may be set to convert."""
    return {content.replace(b"\r\n", b"\n") for content in found}
