"""What each place says, and how its mistakes are told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bigtask.configuration.keys import KEYS, OTHER_VARIABLES, Unfit
from bigtask.configuration.layers import (
    Layer,
    Rank,
    of_environment,
    of_file,
    of_options,
    of_template,
    require_fit,
)
from bigtask.core.values import Permissions, Settings
from bigtask.errors import InvalidInput
from bigtask.templates.manager import TemplateManager
from bigtask.templates.template import Config

GOOD: dict[str, tuple[str, str, Any]] = {
    "agent": ('"offline"', "offline", "offline"),
    "fallback": ('["codex", "offline"]', '["codex", "offline"]', ("codex", "offline")),
    "slotsFor": ("{codex = 2}", '{"codex": 2}', {"codex": 2}),
    "model": ('"large-2"', "large-2", "large-2"),
    "effort": ('"high"', "high", "high"),
    "maxWorkers": ("64", "64", 64),
    "parallelExecution": ("false", "No", False),
    "workerTimeout": ("10_000", "10000", 10_000),
    "stallAfter": ("1_000", "1000", 1_000),
    "retryOnError": ("false", "0", False),
    "maxRetries": ("0", "0", 0),
    "spawnDelay": ("0", "0", 0),
    "autoSpawn": ("true", "TRUE", True),
    "isolation": ('"none"', "none", "none"),
    "permissionMode": ('"acceptEdits"', "acceptEdits", "acceptEdits"),
    "maxBudgetUsd": ("5", "2.50", None),
    "maxTokens": ("1", "1", 1),
    "allowedCommands": (
        '[["make", "test"], ["ls"]]',
        '[["make", "test"], ["ls"]]',
        (("make", "test"), ("ls",)),
    ),
    "permissions": (
        '{allow = ["Bash(ls)"]}',
        '{"allow": ["Bash(ls)"]}',
        Permissions(allow=("Bash(ls)",)),
    ),
    "unanswered": (
        '{permission = "deny after 30m"}',
        '{"permission": "deny after 30m"}',
        {"permission": "deny after 30m"},
    ),
    "workspacesGib": ("0.5", "0.5", 0.5),
    "machineSlots": ("8", "8", 8),
    "agentSlots": ("1", "1", 1),
    "desktopEndpoint": ('"http://[::1]:9333"', "http://[::1]:9333", "http://[::1]:9333"),
    "desktopElsewhere": ("true", "on", True),
    "agents": (
        '{mine = {kind = "command", argv = ["mine"]}}',
        '{"mine": {"kind": "command", "argv": ["mine"]}}',
        {"mine": {"kind": "command", "argv": ["mine"]}},
    ),
    "keepRuns": ("0", "0", 0),
    "keepDays": ("90", "90", 90),
    "keepGib": ("1.5", "1.5", 1.5),
    "keepTrashDays": ("0", "0", 0),
}
"""As a file has it, as a variable has it, and what comes of it."""

BAD = {
    "agent": ('""', "3", '"--help"', '"a\\nb"', '" a"', '["offline"]'),
    "fallback": ('"codex"', "[3]", '[""]'),
    "slotsFor": ("2", "{codex = 0}", '{codex = "2"}', "{codex = true}"),
    "model": ("false", '"-x"', '"\\u0007"'),
    "effort": ("1.5", '"-"'),
    "maxWorkers": ("0", "65", "-1", "3.0", '"3"', "true", "[3]", "1979-05-27", str(10**400)),
    "parallelExecution": ("1", '"yes"', "{on = true}"),
    "workerTimeout": ("9999", "86400001", '"5 min"'),
    "stallAfter": ("999", "86400001", "false"),
    "retryOnError": ("0", '"no"'),
    "maxRetries": ("-1", "11", "nan"),
    "spawnDelay": ("-1", "60001", "0.5"),
    "autoSpawn": ("1", '""'),
    "isolation": ('"nono"', '"Worktree"', "true"),
    "permissionMode": ('"accept-edits"', '"none"', '""', "0"),
    "maxBudgetUsd": ("0", "-5", "nan", "inf", "-inf", '"5"', "true", str(10**400)),
    "maxTokens": ("0", "1.5", "9007199254740993", str(10**400)),
    "allowedCommands": ('["make"]', '"make"', "[[]]", '[[""]]', "[[1]]", "[{}]"),
    "permissions": ('"Bash"', '["Bash"]', '{allow = "Bash"}', '{deny = ["Bash("]}', "{may = []}"),
    "unanswered": ('"wait"', '{permission = "allow after 1m"}', "{permission = 3}", '{x = "wait"}'),
    "workspacesGib": ("0", "-1", '"1 GiB"', "inf"),
    "machineSlots": ("0", "1.5", "10001"),
    "agentSlots": ("0", '"all"'),
    "desktopEndpoint": ('""', "9222", '"-"'),
    "desktopElsewhere": ("1", '"no"'),
    "agents": (
        '"mine"',
        '{mine = "mine"}',
        '{mine = {argv = ["mine"]}}',
        '{claude = {kind = "command", argv = ["mine"]}}',
        '{mine = {kind = "command", argv = ["{model}"]}}',
    ),
    "keepRuns": ("-1", "1.5", "100001"),
    "keepDays": ("-1", "36501", '"30d"'),
    "keepGib": ("0", "nan"),
    "keepTrashDays": ("-1", "true"),
}

BAD_TEXTS = {
    "agent": ("--help",),
    "fallback": ("codex", "[3]", "{"),
    "slotsFor": ("2", '{"codex": 0}', "[" * 100_000),
    "model": ("-x",),
    "effort": ("a\nb",),
    "maxWorkers": ("lots", "0", "65", "-1", "3.0", "0x3", "1e1", "٣", "9" * 5000),
    "parallelExecution": ("maybe", "2", "falsch"),
    "workerTimeout": ("9999", "5min"),
    "stallAfter": ("999", "never"),
    "retryOnError": ("nope",),
    "maxRetries": ("11", "two"),
    "spawnDelay": ("-1",),
    "autoSpawn": ("o",),
    "isolation": ("nono",),
    "permissionMode": ("accept_edits", "ALL!"),
    "maxBudgetUsd": ("0", "nan", "inf", "1e3", "$5", "5,00", "-1"),
    "maxTokens": ("0", "2M", "9007199254740993"),
    "allowedCommands": ("make test", '["make"]', "[[]]", "[" * 100_000, "{"),
    "permissions": ("Bash", '{"allow": "Bash"}', "[" * 100_000),
    "unanswered": ("deny", '{"permission": "deny"}', "{"),
    "workspacesGib": ("0", "1GiB"),
    "machineSlots": ("0", "all"),
    "agentSlots": ("0", "1.5"),
    "desktopEndpoint": ("--url", "a\nb"),
    "desktopElsewhere": ("perhaps",),
    "agents": ("mine", '{"mine": {}}', "[" * 100_000),
    "keepRuns": ("-1", "all"),
    "keepDays": ("36501", "30d"),
    "keepGib": ("0", "1e3"),
    "keepTrashDays": ("-1", "never"),
}


def test_the_tables_of_this_test_have_every_setting():
    assert GOOD.keys() == BAD.keys() == BAD_TEXTS.keys() == KEYS.keys()


@pytest.mark.parametrize("name", KEYS)
def test_every_setting_can_stand_in_a_file_and_says_where(name):
    text = f"# a comment\n\n{name} = {GOOD[name][0]}\n"
    for rank in (Rank.USER, Rank.REPOSITORY):
        found = of_file(text, rank=rank, name="config.toml")
        assert found.problems == ()
        if rank is Rank.REPOSITORY and not KEYS[name].by_repository:
            assert (found.said, len(found.warnings)) == ({}, 1)
            continue
        wanted = 5.0 if name == "maxBudgetUsd" else GOOD[name][2]
        assert (found.said[name].value, type(found.said[name].value)) == (wanted, type(wanted))
        assert str(found.said[name].origin) == "config.toml:3"
        assert found.warnings == ()


@pytest.mark.parametrize("name", KEYS)
def test_every_setting_has_a_variable(name):
    key = KEYS[name]
    found = of_environment({key.variable: f" {GOOD[name][1]} ", "PATH": "/bin"})
    wanted = 2.5 if name == "maxBudgetUsd" else GOOD[name][2]
    assert (found.problems, found.warnings) == ((), ())
    assert {name: said.value for name, said in found.said.items()} == {name: wanted}
    assert str(found.said[name].origin) == key.variable
    assert of_environment({key.variable: "  "}) == Layer(rank=Rank.ENVIRONMENT)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name in BAD for text in BAD[name]])
def test_a_wrong_value_in_a_file_is_told_with_its_line_and_what_is_wanted(name, text):
    found = of_file(f"\n{name} = {text}\n", rank=Rank.USER, name="config.toml")
    assert found.said == {}
    (problem,) = found.problems
    assert problem.startswith(f"config.toml:2: {name} must be ")
    assert len(problem) < 300
    assert problem.isprintable()


@pytest.mark.parametrize(("name", "text"), [(name, text) for name in BAD_TEXTS for text in BAD_TEXTS[name]])
def test_a_wrong_value_in_a_variable_is_told_with_what_is_wanted(name, text):
    found = of_environment({KEYS[name].variable: text})
    assert found.said == {}
    (problem,) = found.problems
    assert problem.startswith(f"{KEYS[name].variable} must be ")
    assert len(problem) < 300
    assert problem.isprintable()


def test_every_problem_is_told_at_once():
    layers = (
        of_environment({"BIGTASK_MAX_WORKERS": "lots", "BIGTASK_AUTO_SPAWN": "x"}),
        of_file('maxRetries = -1\npermissionMode = "accept-edits"', rank=Rank.USER, name="c.toml"),
        of_options({"max_workers": 65, "model": None}),
    )
    with pytest.raises(InvalidInput) as caught:
        require_fit(layers)
    assert str(caught.value) == (
        "these settings can't be used: "
        'BIGTASK_MAX_WORKERS must be a whole number from 1 to 64, not "lots"; '
        'BIGTASK_AUTO_SPAWN must be true or false, not "x"; '
        "c.toml:1: maxRetries must be a whole number from 0 to 10, not -1; "
        "c.toml:2: permissionMode must be one of readOnly, ask, acceptEdits, all, "
        'not "accept-edits": did you mean acceptEdits?; '
        "this run's own options: maxWorkers must be a whole number from 1 to 64, not 65"
    )


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("maxWorker = 3", "c.toml:1: maxWorker isn't a setting: did you mean maxWorkers?"),
        ("\nmax_workers = 3", "c.toml:2: max_workers isn't a setting: did you mean maxWorkers?"),
        ("maxBudgetUSD = 3", "c.toml:1: maxBudgetUSD isn't a setting: did you mean maxBudgetUsd?"),
        ("colour = 3", "c.toml:1: colour isn't a setting: `bigtask doctor` lists all of them"),
        ("pollInterval = 3", "c.toml:1: pollInterval can only be set in a template's config"),
        (
            "\n\n[config]\nmaxWorkers = 3",
            'c.toml:3: the table "config" isn\'t known: settings stand by themselves, like maxWorkers = 3',
        ),
        ('"max\\u001bWorkers" = 3', "c.toml:1: max\\u001bWorkers isn't a setting: did you mean maxWorkers?"),
    ],
)
def test_an_unknown_key_is_warned_about_and_changes_nothing(text, warning):
    assert of_file(text, rank=Rank.USER, name="c.toml") == Layer(rank=Rank.USER, warnings=(warning,))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "maxWorkers 3\n",
            "c.toml:1: this isn't TOML at column 12: expected '=' after a key in a key/value pair",
        ),
        ("a = 1\nmaxWorkers = \n", "c.toml:2: this isn't TOML at column 14: invalid value"),
        ("a = 1\nb = [1,\n", "c.toml:3: this isn't TOML: "),
        ("a = 1\na = 2\n", "c.toml:2: this isn't TOML at column 6: cannot overwrite a value"),
        ("a = " + "[" * 50_000, "c.toml"),
        ("a = " + "{b=" * 20_000, "c.toml"),
    ],
)
def test_what_isnt_toml_is_told_with_its_line(text, problem):
    found = of_file(text, rank=Rank.USER, name="c.toml")
    assert found.said == {}
    assert len(found.problems) == 1
    assert found.problems[0].startswith(problem)


def test_a_variable_that_is_nearly_a_setting_s_is_warned_about_and_others_are_left_alone():
    environ = {"BIGTASK_MAXWORKERS": "3", "BIGTASK_WHATEVER": "1", **dict.fromkeys(OTHER_VARIABLES, "1")}
    assert of_environment(environ).warnings == (
        "BIGTASK_MAXWORKERS isn't a setting: did you mean BIGTASK_MAX_WORKERS?",
    )


def test_options_say_what_isn_t_none():
    found = of_options(
        {"max_workers": 3, "model": None, "yes": True, "base": "main", "worker_timeout_ms": 50}
    )
    assert {name: said.value for name, said in found.said.items()} == {"maxWorkers": 3, "workerTimeout": 50}
    assert of_options({"worker_timeout_ms": 0}).problems
    assert of_options({"max_budget_usd": float("nan")}).problems


# Templates


def raws(*templates: dict[str, Any]) -> Any:
    by_id = {template["id"]: template for template in templates}
    return by_id.__getitem__


def test_a_template_says_what_it_and_its_ancestors_say_but_not_what_the_default_one_does():
    raw = raws(
        {"id": "_default", "config": {"maxWorkers": 5, "maxRetries": 2}},
        {
            "id": "parent",
            "extends": "_default",
            "config": {"maxWorkers": 7, "spawnDelay": 0, "model": "large", "pollInterval": 100},
            "phases": {"verification": {"allowedCommands": [["make"]]}},
        },
        {"id": "child", "extends": "parent", "config": {"maxWorkers": 9, "spawnDelay": None}},
    )
    found = of_template("child", raw)
    assert {name: said.value for name, said in found.said.items()} == {
        "model": "large",
        "maxWorkers": 9,
        "allowedCommands": (("make",),),
    }
    assert str(found.said["model"].origin) == "the template child"
    assert of_template("_default", raw) == Layer(rank=Rank.TEMPLATE)
    assert (
        of_template("alone", raws({"id": "alone", "config": {"maxWorkers": 1}})).said["maxWorkers"].value == 1
    )


def test_a_template_s_value_that_no_program_may_get_is_a_problem():
    found = of_template("odd", raws({"id": "odd", "config": {"model": "--anything"}}))
    assert found.problems[0].startswith("the template odd: model must be one line of text")


def test_the_defaults_are_those_of_the_shipped_default_template():
    raw = TemplateManager().get("_default", resolved=False)
    config = {**raw["config"], "allowedCommands": raw["phases"]["verification"]["allowedCommands"]}
    for name, key in KEYS.items():
        if name in config:
            assert key.fit(config[name]) == key.default, name
        else:
            assert key.default in (None, {}, (), Permissions()) or not key.of_runs, name
        if not key.of_runs:
            continue
        in_a_run = getattr(Settings(agent="a"), key.field)
        assert in_a_run == key.default or key.name == "agent", name


def test_the_defaults_of_templates_are_the_same():
    for key in KEYS.values():
        if hasattr(Config(), key.field):
            assert getattr(Config(), key.field) == key.default


def test_a_value_fits_again_as_json():
    """What a run keeps is what was checked."""
    for name, key in KEYS.items():
        text, _, _ = GOOD[name]
        value = of_file(f"{name} = {text}", rank=Rank.USER, name="c").said[name].value
        assert key.fit(msgspec.json.decode(msgspec.json.encode(value))) == value


def test_what_doesn_t_fit_is_cut_to_a_sentence():
    with pytest.raises(Unfit) as caught:
        KEYS["isolation"].fit("x" * 100_000)
    assert len(str(caught.value)) < 200
