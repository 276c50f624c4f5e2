"""Which layer wins, for every setting, and that a repository's file never loosens what is in force."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from bigtask.configuration.keys import KEYS, PERMISSIONS, Key, shown
from bigtask.configuration.layers import Layer, Origin, Rank, Said
from bigtask.configuration.resolution import Resolution, resolve
from bigtask.core.values import Permissions

MAKE, TEST = ("make",), ("python", "-m", "pytest")
FREE = {
    "agent": ("offline", "scripted:play.json"),
    "fallback": (("codex",), ("offline", "codex")),
    "slotsFor": ({"codex": 2}, {}),
    "model": ("large", "small"),
    "effort": ("high", "low"),
    "spawnDelay": (100, 2_000),
    "isolation": ("none", "worktree"),
    "machineSlots": (8, 3),
    "agentSlots": (4, 2),
    "desktopEndpoint": ("http://127.0.0.1:9222", "http://127.0.0.1:9333"),
    "desktopElsewhere": (True, False),
    "agents": ({"mine": {"kind": "command", "argv": ["mine"]}}, {}),
    "keepRuns": (0, 7),
    "keepDays": (1, 7),
    "keepGib": (0.5, 7.0),
    "keepTrashDays": (0, 9),
    "unanswered": ({"permission": "deny after 1m"}, {}),
}
"""Two values of each setting without an order."""
ORDERED = {
    "maxWorkers": (8, 3),
    "parallelExecution": (True, False),
    "workerTimeout": (600_000, 20_000),
    "stallAfter": (600_000, 20_000),
    "retryOnError": (True, False),
    "maxRetries": (9, 1),
    "autoSpawn": (True, False),
    "permissionMode": ("acceptEdits", "readOnly"),
    "maxBudgetUsd": (20.0, 0.5),
    "maxTokens": (2_000_000, 1_000),
    "allowedCommands": ((MAKE, TEST), (TEST,)),
    "workspacesGib": (20.0, 0.5),
}
"""Of each setting that bounds a run: a loose value and a tight one."""
ADDED = {"permissions": (Permissions(allow=("Bash(ls)",)), Permissions(deny=("Bash(rm*)",)))}
"""To which a repository adds what it forbids."""
PLACES = {
    Rank.ENVIRONMENT: "BIGTASK_X",
    Rank.TEMPLATE: "docs",
    Rank.REPOSITORY: "r.toml:1",
    Rank.USER: "u.toml:1",
}


def layer(rank: Rank, **values: Any) -> Layer:
    origin = Origin(rank=rank, place=PLACES.get(rank, ""))
    return Layer(rank=rank, said={name: Said(value=value, origin=origin) for name, value in values.items()})


def resolved(name: str, **by_rank: Any) -> Resolution:
    return resolve(layer(Rank(rank), **{name: value}) for rank, value in by_rank.items())


def test_the_tables_of_this_test_have_every_setting():
    assert {**FREE, **ORDERED, **ADDED}.keys() == KEYS.keys()
    assert {name for name, key in KEYS.items() if key.tighter is not None} == ORDERED.keys() | ADDED.keys()


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize(
    ("above", "below"),
    [
        (above, below)
        for above, below in product(Rank, Rank)
        if list(Rank).index(above) < list(Rank).index(below) and Rank.REPOSITORY not in (above, below)
    ],
)
def test_what_stands_higher_wins(name, above, below):
    values = {**FREE, **ORDERED, **ADDED}[name]
    both_ways = (values, values[::-1])
    for high, low in both_ways[KEYS[name].kept and (above, below) == (Rank.TEMPLATE, Rank.USER) :]:
        layers = [layer(below, **{name: low})] if below is not Rank.DEFAULT else []
        found = resolve([*layers, layer(above, **{name: high})])
        assert (found[name].value, found[name].origin.rank) == (high, above)
        assert found.warnings == ()


def test_a_template_doesnt_loosen_what_agents_may_do_by_a_person_s_own_file():
    found = resolved("permissionMode", template="acceptEdits", user="ask")["permissionMode"]
    assert (found.value, found.origin.rank) == ("ask", Rank.USER)
    assert found.note == f"the template docs can't loosen it to {shown('acceptEdits')}"
    found = resolved("permissionMode", template="readOnly", user="ask")["permissionMode"]
    assert (found.value, found.origin.rank, found.note) == ("readOnly", Rank.TEMPLATE, "")
    for above in ("environment", "options"):
        mine = resolved("permissionMode", **{above: "acceptEdits"}, template="ask", user="ask")
        assert mine["permissionMode"].value == "acceptEdits"
    for name, (loose, tight) in ORDERED.items():
        if name != "permissionMode":
            assert resolved(name, template=loose, user=tight)[name].value == loose


@pytest.mark.parametrize("name", KEYS)
def test_nothing_said_is_the_default(name):
    found = resolve([])[name]
    assert (found.value, found.origin.rank, str(found.origin)) == (
        KEYS[name].default,
        Rank.DEFAULT,
        "the default",
    )


@pytest.mark.parametrize("name", [name for name in FREE if KEYS[name].by_repository])
def test_a_repository_stands_between_the_template_and_the_person_where_nothing_is_bounded(name):
    mine, other = FREE[name]
    assert resolved(name, repository=mine, user=other)[name].origin.rank is Rank.REPOSITORY
    for above in ("template", "environment", "options"):
        found = resolved(name, **{above: other}, repository=mine)[name]
        assert (found.value, found.origin.rank) == (other, Rank(above))


@pytest.mark.parametrize("name", ORDERED)
@pytest.mark.parametrize("other", ["template", "user"])
def test_a_repository_tightens(name, other):
    loose, tight = ORDERED[name]
    found = resolved(name, **{other: loose}, repository=tight)
    assert (found[name].value, found[name].origin.rank) == (tight, Rank.REPOSITORY)
    assert found[name].note.startswith("tightens ")
    assert found.warnings == ()


@pytest.mark.parametrize("name", ORDERED)
@pytest.mark.parametrize("other", ["template", "user"])
def test_a_repository_doesnt_loosen_and_its_author_is_told(name, other):
    loose, tight = ORDERED[name]
    found = resolved(name, **{other: tight}, repository=loose)
    assert (found[name].value, found[name].origin.rank) == (tight, Rank(other))
    (warning,) = found.warnings
    assert warning.startswith(f"r.toml:1: {name} ")
    assert "only tighten" in warning
    assert "can't loosen" in found[name].note


@pytest.mark.parametrize("name", ORDERED)
@pytest.mark.parametrize("above", ["options", "environment"])
def test_a_person_s_own_word_stands_above_the_repository_in_both_directions(name, above):
    for mine, repository in (ORDERED[name], ORDERED[name][::-1]):
        found = resolved(name, **{above: mine}, repository=repository, template=repository, user=repository)
        assert (found[name].value, found[name].origin.rank) == (mine, Rank(above))
        assert found.warnings == ()


@pytest.mark.parametrize("other", ["template", "user"])
def test_a_repository_forbids_but_allows_nothing(other):
    mine = Permissions(allow=("Bash(ls)",))
    theirs = Permissions(allow=("Bash(ls)", "Bash"), ask=("Bash(git *)",), deny=("Bash(rm*)",))
    found = resolved("permissions", **{other: mine}, repository=theirs)
    in_force = Permissions(allow=("Bash(ls)",), ask=("Bash(git *)",), deny=("Bash(rm*)",))
    assert found["permissions"].value == in_force
    (warning,) = found.warnings
    assert "permissions allow Bash(ls), allow Bash, ask Bash(git *), deny Bash(rm*) would loosen" in warning
    forbids = Permissions(deny=("Bash(rm*)",))
    found = resolved("permissions", **{other: mine}, repository=forbids)
    assert (found["permissions"].value.deny, found.warnings) == (("Bash(rm*)",), ())


def test_a_repository_may_repeat_what_is_in_force():
    for name, (loose, _) in ORDERED.items():
        found = resolved(name, user=loose, repository=loose)
        assert (found[name].origin.rank, found[name].note, found.warnings) == (Rank.USER, "", ())


def test_any_cap_is_tighter_than_none():
    found = resolved("maxBudgetUsd", repository=100.0)["maxBudgetUsd"]
    assert (found.value, found.note) == (100.0, "tightens none, from the default")


def test_of_commands_only_those_that_both_allow_remain():
    found = resolved("allowedCommands", template=(MAKE, TEST), repository=(TEST, ("rm", "-r", ".")))
    assert found["allowedCommands"].value == (TEST,)
    assert len(found.warnings) == 1
    assert resolved("allowedCommands", repository=(MAKE,))["allowedCommands"].value == ()


def test_the_fields_are_those_of_the_settings_of_a_run():
    from bigtask.core.values import Settings
    from bigtask.host.creation import Options

    fields = resolve([]).fields()
    assert fields.keys() <= set(Settings.__struct_fields__)
    assert fields.keys() <= set(Options.__struct_fields__)


# The defence itself, over every pair of values, and what it is without its parts.


def values_of(name: str) -> tuple[Any, ...]:
    match name:
        case "permissionMode":
            return PERMISSIONS[::-1]
        case "allowedCommands":
            return ((MAKE, TEST), (MAKE,), (TEST,), ())
        case "maxBudgetUsd" | "maxTokens" | "workspacesGib":
            return (None, *(KEYS[name].fit(number) for number in (100, 10, 1)))
        case _:
            return ORDERED[name]


def looser(name: str, value: Any, than: Any) -> bool:
    """Said a second time, in other words than the product's."""
    match name:
        case "permissionMode":
            return PERMISSIONS.index(value) > PERMISSIONS.index(than)
        case "allowedCommands":
            return not set(value) <= set(than)
        case _:
            return (float("inf") if value is None else value) > (float("inf") if than is None else than)


def loosened(name: str) -> Iterator[tuple[Any, Any, Any]]:
    """What is in force without a repository's file, what that says, and what is in force then, where it is
    looser."""
    for in_force, said, rank in product(values_of(name), values_of(name), ("template", "user")):
        if said is None:
            continue
        others = {} if in_force is None else {rank: in_force}
        before = resolved(name, **others)[name].value
        after = resolved(name, **others, repository=said)[name].value
        if looser(name, after, before):
            yield before, said, after


@pytest.mark.parametrize("name", ORDERED)
def test_no_value_of_a_repository_makes_anything_looser(name):
    assert list(loosened(name)) == []


MUTANTS: dict[str, Callable[[Key], Key]] = {
    "ordinary precedence": lambda key: replace(key, tighter=None),
    "the repository's word": lambda key: replace(key, tighter=lambda in_force, said: said),
    "the other direction": lambda key: replace(
        key, tighter=lambda in_force, said: said if looser(key.name, said, in_force) else in_force
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
@pytest.mark.parametrize("name", ORDERED)
def test_without_the_defence_something_gets_looser(name, mutant, monkeypatch):
    monkeypatch.setitem(KEYS, name, MUTANTS[mutant](KEYS[name]))
    assert list(loosened(name)) != []
