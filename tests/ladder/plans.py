"""Plans as Hypothesis draws them: many shapes of plain words, and few tasks of words hard to write down."""

from __future__ import annotations

from hypothesis import strategies as st

from bigtask.core.values import Check, Plan, Task

IDS = ("a", "b", "c", "d", "e")

_ids = st.lists(st.sampled_from(IDS), unique=True)
_checks = st.sampled_from(((), (Check(claim="fine"),), (Check(command=("make", "x")), Check(claim="fine"))))


def _plain(id: str) -> st.SearchStrategy[Task]:
    """What it depends on may be anything, itself included."""
    return st.builds(
        Task,
        id=st.just(id),
        title=st.sampled_from(("one", "two")),
        scope=st.sampled_from(((), ("x/",))),
        priority=st.integers(4, 6),
        dependencies=st.lists(st.sampled_from(IDS), unique=True, max_size=3).map(tuple),
        estimated_minutes=st.sampled_from((None, 1.5)),
        checks=_checks,
        agent=st.sampled_from((None, "claude")),
    )


_PLAIN = {id: _plain(id) for id in IDS}
# One of each, of which some are taken: a strategy that is made anew for each plan takes ten times as long.
some_tasks = st.tuples(_ids, st.tuples(*_PLAIN.values())).map(
    lambda drawn: tuple(each for id in drawn[0] for each in drawn[1] if each.id == id)
)
some_plans = st.builds(Plan, revision=st.integers(1, 99), tasks=some_tasks)

_HARD = (
    '"',
    '""',
    '"""',
    "'''",
    "\\",
    "\n",
    "\n",
    " ",
    "\t",
    "\r",
    "# x",
    "[[task]]",
    "é",
    "\u2028",
    "\u202e",
    "\x7f",
)
_words = st.lists(st.sampled_from(_HARD) | st.characters(codec="utf-8"), max_size=7).map("".join)
_hard = st.builds(
    Task,
    id=st.just("a"),
    title=_words,
    description=_words,
    scope=st.lists(_words, max_size=1).map(tuple),
    estimated_tokens=st.none() | st.integers(0, 10**12),
    estimated_minutes=st.none() | st.floats(0, 1e300),
    checks=st.none().map(lambda _: ()) | _words.map(lambda word: (Check(command=(word,)), Check(claim=word))),
    model=st.none() | _words,
)
hard_plans = st.tuples(_hard, _plain("b")).map(lambda tasks: Plan(revision=1, tasks=tasks))
