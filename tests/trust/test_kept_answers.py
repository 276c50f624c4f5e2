"""What is kept for a repository: exactly that, there, until it is taken back, whatever ends in between."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bigtask.agents.claude.project_rules import RULES
from bigtask.core import commands as c
from bigtask.core import events as e
from bigtask.core.values import Source
from bigtask.errors import InvalidInput, NotFound
from bigtask.host.standing_answers import StandingAnswers, mentions
from bigtask.kept_answers import KeptAnswer, KeptAnswers, id_of
from core.test_permissions import asked
from core.world import RUN_ID, World, started, task


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "permissions.json"


def keep(kept: KeptAnswers, where: Path, number: int = 1, rule: str = "Bash(ls)") -> None:
    kept.keep(where, rule=rule, answer="allow", by="ada@cli", at=5, run_id="r", waiting_id=f"w{number}")


def test_an_answer_counts_in_its_repository_and_for_what_it_covers(file: Path, tmp_path: Path) -> None:
    keep(KeptAnswers(file), tmp_path)
    kept = KeptAnswers(file)
    assert kept.about(tmp_path, "Bash(ls)") == KeptAnswer(
        id=id_of("r", "w1"),
        repository=str(tmp_path),
        rule="Bash(ls)",
        answer="allow",
        by="ada@cli",
        at=5,
        run_id="r",
    )
    assert kept.about(tmp_path / "other", "Bash(ls)") is None
    assert kept.about(tmp_path, "Bash(ls -l)") is None
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_last_answer_counts(file: Path, tmp_path: Path) -> None:
    kept = KeptAnswers(file)
    keep(kept, tmp_path, 1)
    kept.keep(tmp_path, rule="Bash(ls)", answer="deny", by="ada@cli", at=6, run_id="r", waiting_id="w2")
    found = kept.about(tmp_path, "Bash(ls)")
    assert found is not None
    assert found.answer == "deny"


def test_what_was_taken_back_is_not_kept_again_by_a_run_that_remembers_it(file: Path, tmp_path: Path) -> None:
    kept = KeptAnswers(file)
    keep(kept, tmp_path)
    assert kept.revoke(id_of("r", "w1")[:4], by="bob@cli").revoked_by == "bob@cli"
    keep(kept, tmp_path)
    assert kept.about(tmp_path, "Bash(ls)") is None
    assert kept.listed() == ()
    with pytest.raises(NotFound, match="isn't one of them"):
        kept.revoke(id_of("r", "w1"), by="bob@cli")


def test_an_id_that_fits_several_takes_none_back(file: Path, tmp_path: Path) -> None:
    kept = KeptAnswers(file)
    for number in range(40):
        keep(kept, tmp_path, number)
    with pytest.raises(NotFound, match=r"fits \d+ of them: give more of it"):
        kept.revoke(kept.listed()[0].id[0], by="ada@cli")
    assert len(kept.listed()) == 40


def test_several_at_once_keep_all(file: Path, tmp_path: Path) -> None:
    threads = [threading.Thread(target=keep, args=(KeptAnswers(file), tmp_path, n)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(KeptAnswers(file).listed()) == 16


@pytest.mark.parametrize("content", ["", "{", '{"answers": 3}', '{"answers": [{"id": "x"}]}'])
def test_a_file_that_cannot_be_read_answers_nothing(file: Path, tmp_path: Path, content: str) -> None:
    file.parent.mkdir()
    file.write_text(content)
    with pytest.raises(InvalidInput, match="mend that file"):
        KeptAnswers(file).about(tmp_path, "Bash(ls)")


# As a run uses it


def working(root: Path) -> World:
    return started(task("a"), source=Source(kind="git", cwd=str(root), root=str(root))).open("a")


def test_what_a_holder_had_no_time_to_keep_the_next_one_keeps(file: Path, tmp_path: Path) -> None:
    world = working(tmp_path)
    asked(world)
    world.ask(c.Answer(waiting_id="w1", answer="allow", scope="repository", by="ada@cli"))
    kept = KeptAnswers(file)
    for _ in range(2):
        StandingAnswers(world.run, kept).catch_up()
        (one,) = kept.listed()
        assert (one.rule, one.by, one.id) == ("Bash(make test)", "ada@cli", id_of(RUN_ID, "w1"))
    kept.revoke(one.id, by="ada@cli")
    StandingAnswers(world.run, kept).catch_up()
    assert kept.listed() == ()


def test_only_a_person_s_answer_for_the_repository_is_kept(file: Path, tmp_path: Path) -> None:
    world, kept = working(tmp_path), KeptAnswers(file)
    standing = StandingAnswers(world.run, kept)
    for scope, rule in (
        ("once", ""),
        ("task", ""),
        ("run", ""),
        ("repository", "answered for the repository"),
    ):
        said = e.Answered(waiting_id="w1", answer="allow", scope=scope, covers="Bash(ls)", rule=rule)
        standing.keep(said, at=1)
    assert not file.exists()


@pytest.mark.parametrize(
    ("subject", "guarded"),
    [
        ("CLAUDE.md", True),
        ("docs/CLAUDE.md", True),
        (".claude/settings.json", True),
        ("echo x > .mcp.json", True),
        ("cp a '.claude'/x", True),
        ("cat .git/config", True),
        ("ls .bigtask", True),
        ("docs/claude.md.txt", False),
        ("git status", False),
        ("src/AGENTS.md.bak", False),
    ],
)
def test_what_the_trust_gate_keeps_is_found_by_its_name(subject: str, guarded: bool) -> None:
    assert mentions(subject, RULES.names | RULES.folders) is guarded
