"""What rules cover, which of them wins, and for how long an answer holds."""

from __future__ import annotations

import msgspec
import pytest

from bigtask.core import commands as c
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core import permissions
from bigtask.core.permissions import LONGEST, NoRule, covers, decided, exactly, parse, read, scopes, tightened
from bigtask.core.states import AttemptState, WaitingKind
from bigtask.core.values import Permissions
from bigtask.errors import InvalidInput

from .world import World, started, task


@pytest.mark.parametrize(
    ("rule", "tool", "subject"),
    [
        ("Bash", "Bash", "rm -rf /"),
        ("Bash(make test)", "Bash", "make test"),
        ("Bash(make *)", "Bash", "make test"),
        ("Bash(make *)", "Bash", "make "),
        ("Write(docs/*)", "Write", "docs/api/index.md"),
        ("Write(*.md)", "Write", "docs/api.md"),
        ("mcp__db__read", "mcp__db__read", "{}"),
        ("Bash(echo (a))", "Bash", "echo (a)"),
        (r"Bash(ls \*.c)", "Bash", "ls *.c"),
        ("Write(a/*/c)", "Write", "a/..b/c"),
    ],
)
def test_a_rule_covers_what_it_says(rule, tool, subject):
    assert covers(rule, tool, subject)
    assert covers(rule, tool, subject, loosely=True)


@pytest.mark.parametrize(
    ("rule", "tool", "subject"),
    [
        ("Bash(make test)", "Bash", "make tests"),
        ("Bash(make test)", "Bash", "xmake test"),
        ("Bash(make test)", "Write", "make test"),
        ("Bash(make *)", "Bash", "make x; rm -rf /"),
        ("Bash(make *)", "Bash", "make x && rm -rf /"),
        ("Bash(make *)", "Bash", "make x | sh"),
        ("Bash(make *)", "Bash", "make x\nrm -rf /"),
        ("Bash(make *)", "Bash", "make $(rm -rf /)"),
        ("Bash(make *)", "Bash", "make `rm -rf /`"),
        ("Bash(make *)", "Bash", "make > ~/.profile"),
        ("Bash(make *)", "Bash", "make <(curl x)"),
        ("Bash(make *)", "Bash", "make x & rm -rf /"),
        ("Write(docs/*)", "Write", "docs/../.git/config"),
        ("Write(docs/*)", "Write", "docs/a/.."),
        (r"Bash(ls \*.c)", "Bash", "ls a.c"),
    ],
)
def test_a_rule_that_allows_covers_nothing_else(rule, tool, subject):
    assert not covers(rule, tool, subject)


@pytest.mark.parametrize(
    "subject",
    ["git push", "cd x && git push -f", "true; git push", "(git push)", "x | git push", "$(git push)"],
)
def test_what_is_kept_from_happening_is_found_among_other_commands(subject):
    assert covers("Bash(git push*)", "Bash", subject, loosely=True)
    assert not covers("Bash(git push*)", "Bash", f"echo {subject[:3]}", loosely=True)
    assert not covers("Write(git push)", "Write", "x && git push", loosely=True)


@pytest.mark.parametrize("text", ["", "(x)", "Bash()", "Bash(x", "9a", "Bash (x)", "a\nb", "Bash(x) "])
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(NoRule, match="must be TOOL"):
        parse(text)


@pytest.mark.parametrize("subject", ["make *", "a\\b", "a\\*", "x)", "()", "é 😀\n", "**"])
def test_an_answer_covers_exactly_what_was_asked(subject):
    rule = exactly("Bash", subject)
    assert covers(rule, "Bash", subject)
    for other in (f"{subject} ", f" {subject}", subject.replace("*", "x") + "y", "make x"):
        assert not covers(rule, "Bash", other)


def test_what_denies_stands_above_what_asks_and_that_above_what_allows():
    rules = Permissions(allow=("Bash",), ask=("Bash(git *)", "Bash(make deploy)"), deny=("Bash(git push*)",))
    assert decided(rules, "Bash", "git push") == ("deny", "Bash(git push*)")
    assert decided(rules, "Bash", "git status") == ("ask", "Bash(git *)")
    assert decided(rules, "Bash", "ls") == ("allow", "Bash")
    assert decided(rules, "Write", "a") is None


def test_whoever_may_only_forbid_adds_no_permission():
    mine = Permissions(allow=("Bash(ls)",), deny=("Write(a)",))
    theirs = Permissions(allow=("Bash",), ask=("Bash(ls)",), deny=("Write(a)", "Write(b)"))
    assert tightened(mine, theirs) == Permissions(
        allow=("Bash(ls)",), ask=("Bash(ls)",), deny=("Write(a)", "Write(b)")
    )


def test_a_table_of_rules_is_read():
    assert read({"allow": ["Bash(ls)"], "deny": []}) == Permissions(allow=("Bash(ls)",))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"allowed": []}, "are lists of rules"),
        ({"allow": "Bash"}, "are lists of rules"),
        ({"allow": [1]}, "are lists of rules"),
        ({"allow": ["a\nb"]}, "are lists of rules"),
        ({"deny": ["Bash("]}, r"'Bash\(' in deny must be TOOL"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(table, said):
    with pytest.raises(NoRule, match=said):
        read(table)


def test_scopes_end_where_a_question_cannot_be_told_or_is_guarded():
    assert scopes("Bash", "ls", guarded=False) == ("once", "task", "run", "repository")
    assert scopes("Write", "CLAUDE.md", guarded=True) == ("once", "task", "run")
    assert scopes("", "", guarded=False) == ("once", "task", "run")
    assert scopes("Bash", "x" * (LONGEST + 1), guarded=False) == ("once",)
    assert scopes("Bash", "curl [redacted: a token]", guarded=False) == ("once",)


# In a run


def asked(world: World, subject: str = "make test", id: str = "a", **more) -> tuple[e.Happened, ...]:
    given = {"request_id": "r", "question": f"Run {subject}?", "options": ("allow", "deny"), "tool": "Bash"}
    return world.see(o.Asked(**world.who(id), **{**given, "subject": subject, **more}))


def working(**settings) -> World:
    world = started(task("a"), task("b"), **settings)
    return world.open("a").open("b")


def settled(world: World) -> tuple[str, str, str]:
    """Answer, author, and why nobody was asked."""
    said = world.last(e.Answered)
    assert world.last(e.WaitingRaised).settled == bool(said.rule)
    return said.answer, said.by, said.rule


def test_what_a_rule_allows_or_denies_asks_nobody():
    world = working(permissions=Permissions(allow=("Bash(make *)",), deny=("Bash(make deploy)",)))
    asked(world)
    assert settled(world) == ("allow", "rule", "allow Bash(make *)")
    asked(world, "make deploy")
    assert settled(world) == ("deny", "rule", "deny Bash(make deploy)")
    assert not world.run.waiting
    attempt = world.run.tasks["a"].attempt
    assert attempt.settled == ("deny to Bash(make deploy) (deny Bash(make deploy))",)
    asked(world, "ls")
    assert list(world.run.waiting) == ["w3"]


def test_what_a_rule_has_asked_is_asked_each_time():
    world = working(permissions=Permissions(ask=("Bash(make*)",), allow=("Bash",)))
    asked(world)
    world.ask(c.Answer(waiting_id="w1", answer="allow", scope="run"))
    asked(world, kept=o.Kept(answer="allow", by="ada@cli"))
    assert list(world.run.waiting) == ["w2"]


@pytest.mark.parametrize(
    ("scope", "same_task", "other_task"),
    [("once", 1, 1), ("task", 0, 1), ("run", 0, 0), ("repository", 0, 0)],
)
def test_an_answer_holds_for_its_scope(scope, same_task, other_task):
    world = working()
    asked(world)
    world.ask(c.Answer(waiting_id="w1", answer="deny", scope=scope, by="ada@cli"))
    answered = world.last(e.Answered)
    assert (answered.scope, answered.covers) == (scope, "" if scope == "once" else "Bash(make test)")
    asked(world)
    assert len(world.run.waiting) == same_task
    asked(world, id="b")
    assert len(world.run.waiting) == same_task + other_task
    if not other_task:
        assert settled(world) == ("deny", "ada@cli", f"answered for the {scope}")


def test_two_questions_that_begin_alike_are_two():
    """The words of a question are cut where they are long; what an answer covers never is."""
    world = working()
    asked(world, "make " + "x" * 1_500 + "1", question="Run make xxx…?")
    world.ask(c.Answer(waiting_id="w1", answer="allow", scope="run"))
    asked(world, "make " + "x" * 1_500 + "2", question="Run make xxx…?")
    assert list(world.run.waiting) == ["w2"]


def test_an_answer_for_the_repository_holds_unless_it_is_about_what_the_trust_gate_keeps():
    world = working()
    kept = o.Kept(answer="allow", by="ada@cli")
    asked(world, kept=kept)
    assert settled(world) == ("allow", "ada@cli", "answered for the repository")
    assert not any(world.run.grants.values()), "what was kept elsewhere isn't kept again"
    asked(world, "cat CLAUDE.md", guarded=True, kept=kept)
    assert list(world.run.waiting) == ["w2"]
    with pytest.raises(
        InvalidInput, match=r"can't hold for 'repository', because .* choose once or task or run"
    ):
        world.ask(c.Answer(waiting_id="w2", answer="allow", scope="repository"))


def test_what_a_person_says_in_the_run_stands_above_the_repository_and_rules_that_allow():
    world = working(permissions=Permissions(allow=("Bash(ls)",)))
    asked(world)
    world.ask(c.Answer(waiting_id="w1", answer="deny", scope="task"))
    asked(world, kept=o.Kept(answer="allow", by="ada@cli"))
    assert settled(world)[0] == "deny"


def test_an_answer_to_anything_but_a_permission_holds_once():
    world = started(task("a"), task("b", "a"))
    world.open("a").report("a", "partial").merge("a")
    (waiting,) = world.run.waiting.values()
    with pytest.raises(InvalidInput, match=f"because it is a {waiting.kind}: choose once"):
        world.ask(c.Answer(waiting_id=waiting.id, answer="skip", scope="run"))


def test_what_can_only_be_told_in_part_is_answered_once():
    world = working()
    asked(world, "x" * 3_000)
    with pytest.raises(InvalidInput, match="because it is told only in part: choose once"):
        world.ask(c.Answer(waiting_id="w1", answer="allow", scope="task"))


def test_a_question_of_another_kind_is_no_permission_and_ends_nothing():
    world = working()
    asked(world, "", tool="", question="Which?", options=("stop", "none of these"))
    (waiting,) = world.run.waiting.values()
    assert waiting.kind is WaitingKind.QUESTION
    assert "covers" not in waiting.details
    world.ask(c.Answer(waiting_id=waiting.id, answer="stop", scope="task"))
    assert world.run.outcome is None
    asked(world, "", tool="", question="Which?", options=("stop", "none of these"))
    assert settled(world)[0] == "stop"


def test_in_the_mode_for_everything_only_rules_are_asked_about():
    world = working(permission_mode="all", permissions=Permissions(ask=("Bash(git *)",)))
    asked(world)
    assert settled(world) == ("allow", "rule", "permission mode all")
    asked(world, "git push")
    assert list(world.run.waiting) == ["w2"]


def test_what_a_log_of_before_has_kept_still_counts():
    """Its waiting items name no scopes, and their answers cover the words of the question."""
    world = working()
    old = {"question": "May I?", "tool": "", "subject": ""}
    asked(world, "", **{name: value for name, value in old.items() if name != "subject"})
    (waiting,) = world.run.waiting.values()
    bare = msgspec.structs.replace(waiting, details={})
    assert permissions.scopes_of(bare) == ("once", "task", "run")
    assert permissions.covered(bare) == "May I?"


# Sessions that end by themselves


def test_a_session_that_ends_by_itself_is_gone_on_with_once():
    world = started(task("a", agent="patient"), max_retries=1)
    world.open("a")
    world.see(o.Crashed(**world.who("a"), reason="it was killed", tools={"write": 2}))
    resumed = world.last(e.WorkerResumed)
    assert (resumed.attempt, resumed.reason) == (1, "it was killed")
    attempt = world.run.tasks["a"].attempt
    assert (attempt.number, attempt.state, attempt.continued) == (1, AttemptState.SPAWNING, 1)
    assert attempt.tools == {"write": 2}
    assert world.run.tasks["a"].failures == 0
    world.open("a")
    world.see(o.Crashed(**world.who("a"), reason="again"))
    assert attempt.state is AttemptState.CRASHED


def test_a_session_that_never_opened_or_whose_agent_can_not_goes_to_a_new_attempt():
    for agent, opens in (("patient", False), ("plain", True)):
        world = started(task("a", agent=agent))
        if opens:
            world.open("a")
        world.see(o.Crashed(**world.who("a"), reason="it was killed"))
        assert world.run.tasks["a"].attempts[0].state is AttemptState.CRASHED


def test_a_session_that_ends_by_itself_in_a_pause_rests():
    world = started(task("a", agent="patient"))
    world.open("a").ask(c.Pause())
    world.see(o.Crashed(**world.who("a"), reason="it was killed"))
    assert world.run.paused
    assert world.run.tasks["a"].attempt.state is AttemptState.PAUSED
    world.ask(c.Resume())
    assert world.run.tasks["a"].attempt.state is AttemptState.SPAWNING
