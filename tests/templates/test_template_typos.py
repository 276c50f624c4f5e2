"""Whoever mistypes a word of a template learns the place and the right word in one reading."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bigtask.templates.library import shipped
from bigtask.templates.manager import TemplateManager
from bigtask.templates.reading import Unreadable, parse
from bigtask.templates.shape import schema
from cli.here import here


def keys(part: dict[str, Any] | None = None, where: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every key that schema.json knows."""
    part = schema() if part is None else part  # type: ignore[assignment] # a Mapping, read only
    assert part is not None
    if "$ref" in part:
        part = schema()["$defs"][part["$ref"].rpartition("/")[2]]
    for key, inner in part.get("properties", {}).items():
        yield (*where, key)
        yield from keys(inner, (*where, key))


def typos(word: str) -> Iterator[str]:
    """A letter twice, two letters exchanged, one missing, another case; never a word that is known."""
    middle = len(word) // 2
    yield word[:middle] + word[middle] + word[middle:]
    if len(word) > 3:
        yield word[:middle] + word[middle + 1] + word[middle] + word[middle + 2 :]
        yield word[:middle] + word[middle + 1 :]
    if word != word.lower():
        yield word.lower()
        yield "".join("_" + sign.lower() if sign.isupper() else sign for sign in word)


KEYS = sorted(set(keys()))


def test_all_keys_are_found() -> None:
    assert len(KEYS) > 100
    assert ("phases", "taskPlanning", "validation", "minTasks") in KEYS


@pytest.mark.parametrize("path", KEYS, ids="/".join)
def test_a_typo_in_any_key_is_named_with_its_place_and_the_right_word(path: tuple[str, ...]) -> None:
    *above, word = path
    for typo in typos(word):
        if typo == word or (*above, typo) in KEYS:
            continue
        raw: dict[str, Any] = {"id": "mine", "name": "Mine", "extends": "_default"}
        raw.pop(word, None) if not above else None
        inner = raw
        for key in above:
            inner = inner.setdefault(key, {})
        inner[typo] = "x"
        found = dict(TemplateManager().validate(raw).errors)
        sentence = found["/" + "/".join((*above, typo))]
        assert f"did you mean {word}?" in sentence, (typo, sentence)


WRONG = {"string": 3, "boolean": "yes", "integer": "3", "number": "3", "array": 3, "object": 3}


def typed(part: dict[str, Any], where: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if "$ref" in part:
        part = schema()["$defs"][part["$ref"].rpartition("/")[2]]
    for key, inner in part.get("properties", {}).items():
        whole = inner if "$ref" not in inner else schema()["$defs"][inner["$ref"].rpartition("/")[2]]
        kinds = whole["type"]
        yield (*where, key), kinds if isinstance(kinds, str) else next(k for k in kinds if k != "null")
        yield from typed(inner, (*where, key))


@pytest.mark.parametrize(
    ("path", "kind"),
    sorted(set(typed(dict(schema())))),
    ids=lambda given: "/".join(given) if isinstance(given, tuple) else given,
)
def test_a_value_of_the_wrong_kind_is_named_with_what_it_must_be(path: tuple[str, ...], kind: str) -> None:
    raw: dict[str, Any] = {"id": "mine", "name": "Mine", "extends": "_default"}
    inner = raw
    for key in path[:-1]:
        inner = inner.setdefault(key, {})
    inner[path[-1]] = WRONG[kind]
    found = dict(TemplateManager().validate(raw).errors)
    sentence = found["/" + "/".join(path)]
    assert sentence.startswith("must be "), sentence
    assert ", not " in sentence, sentence


def child(**more: Any) -> dict[str, Any]:
    return {"id": "mine", "name": "Mine", "extends": "_default", **more}


@pytest.mark.parametrize(
    ("raw", "pointer", "said"),
    [
        (child(extends="documentaton"), "/extends", "did you mean documentation?"),
        (child(extends="implemention"), "/extends", "did you mean implementation?"),
        (child(extends="zzz"), "/extends", "choose one of _default, documentation"),
        (child(config={"isolation": "wroktree"}), "/config/isolation", "did you mean worktree?"),
        (child(config={"permissionMode": "readonly"}), "/config/permissionMode", "did you mean readOnly?"),
        (child(ui={"workerColumns": ["titel"]}), "/ui/workerColumns/0", "did you mean title?"),
        (
            child(prompts={"worker": {"format": {"requiredFields": ["sumary"]}}}),
            "/prompts/worker/format/requiredFields/0",
            "did you mean summary?",
        ),
    ],
)
def test_a_typo_in_a_value_is_named_too(raw: dict[str, Any], pointer: str, said: str) -> None:
    ((where, sentence),) = TemplateManager().validate(raw).errors
    assert where == pointer
    assert said in sentence


@pytest.mark.parametrize(
    ("raw", "pointer", "said"),
    [
        (child(prompts={"worker": {"user": "{TASK_TITEL}"}}), "/prompts/worker/user", "mean TASK_TITLE?"),
        (
            child(variables={"LANGUAGE": "en"}, prompts={"worker": {"user": "{LANGUGE}"}}),
            "/prompts/worker/user",
            "mean LANGUAGE?",
        ),
        (
            child(hooks={"onError": ["npm run x"]}),
            "/hooks/onError/0",
            'no program is called "npm run x": write ["npm", "run", "x"]',
        ),
        (
            child(phases={"verification": {"commands": [["make", "&&", "make", "test"]]}}),
            "/phases/verification/commands/0/1",
            "&& means something to a shell only",
        ),
        (
            child(config={"setup": [["npm", "ci", ">", "log"]]}),
            "/config/setup/0/2",
            "put it into a script",
        ),
    ],
)
def test_what_may_be_meant_is_a_warning(raw: dict[str, Any], pointer: str, said: str) -> None:
    found = TemplateManager().validate(raw)
    assert not found.errors
    assert said in dict(found.warnings)[pointer]


def test_a_broken_parent_is_told_apart_from_a_missing_one(tmp_path: Any) -> None:
    (tmp_path / "base.json").write_text("{")
    (tmp_path / "mine.json").write_text(json.dumps(child(extends="base")))
    (problem,) = TemplateManager(user_dir=tmp_path).find("mine").errors
    assert problem == ("/extends", "the template base is broken, correct it first: mine -> base")


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("{'id': 1}", "column 2", "double quotes"),
        ("{\"id\": 'mine'}", "column 8", "double quotes"),
        ('{"id": "x",}', "column", "comma too many"),
        ('{"tags": ["x",]}', "column", "comma too many"),
        ('{"id": "x"\n "name": 1}', "line 2, column 2", "a comma or a closing bracket is missing"),
        ('{"id" "x"}', "column 7", "expecting ':' delimiter"),
        ('{"a": True}', "column 7", "true, false and null"),
        ('{"a": None}', "column 7", "true, false and null"),
        ('{"a": // why\n 1}', "column 7", "no comments"),
        ('{"a": 1, # why\n}', "column 10", "no comments"),
        ('{"a": }', "column 7", "a value is missing here"),
        ('{"a": ', "column 7", "the file ends where a value is missing"),
        ('{"a": "x\ny"}', "column 9", "\\n or \\t"),
        ('{"a": "x', "column 7", "no closing quote"),
        ('{"a": 1}}', "column 9", "has ended before this"),
        ("{a: 1}", "column 2", "a key in double quotes is missing"),
        ('{"a": "\\x"}', "column 8", "escape"),
        ("", "line 1, column 1", "there is nothing in it"),
        ("id: a1\nname: A", "line 1, column 1", "a template is one object in JSON"),
    ],
)
def test_a_slip_in_the_json_is_named_with_its_place(text: str, place: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said.replace("\\", "\\\\")) as caught:
        parse(text.encode())
    assert place in str(caught.value)


SLIPS: dict[str, tuple[str | dict[str, Any], str, str]] = {
    "wrong key": (child(config={"maxWorker": 3}), "/config/maxWorker", "did you mean maxWorkers?"),
    "key of another place": (child(maxWorkers=3), "/maxWorkers", "belongs in /config"),
    "key in snake case": (child(config={"max_workers": 3}), "/config/max_workers", "mean maxWorkers?"),
    "text for a number": (
        child(config={"maxWorkers": "3"}),
        "/config/maxWorkers",
        'a whole number from 1 to 64, not the text "3"',
    ),
    "number out of bounds": (child(config={"maxWorkers": 65}), "/config/maxWorkers", "from 1 to 64, not 65"),
    "seconds for milliseconds": (
        child(config={"workerTimeout": 300}),
        "/config/workerTimeout",
        "from 10000 to 86400000, not 300",
    ),
    "text for a boolean": (child(config={"autoSpawn": "yes"}), "/config/autoSpawn", "true or false, not the"),
    "bad choice": (child(config={"isolation": "wortkree"}), "/config/isolation", "did you mean worktree?"),
    "bad merge": (
        child(phases={"aggregation": {"onConflict": "theirs"}}),
        "/phases/aggregation/onConflict",
        "one of ask, resolve, first, last",
    ),
    "unknown phase": (child(phases={"review": {}}), "/phases/review", "known are aggregation, analysis"),
    "misspelt phase": (
        child(phases={"verifcation": {}}),
        "/phases/verifcation",
        "did you mean verification?",
    ),
    "prompt called after its phase": (
        child(prompts={"workerExecution": {"system": "x"}}),
        "/prompts/workerExecution",
        "belongs in /phases",
    ),
    "prompt as a text": (
        child(prompts={"worker": "Do it"}),
        "/prompts/worker",
        "must be an object, not the text",
    ),
    "misspelt variable": (
        child(prompts={"worker": {"user": "{TASK_DESCRIPTON}"}}),
        "/prompts/worker/user",
        "did you mean TASK_DESCRIPTION?",
    ),
    "variable of another phase": (
        child(prompts={"analysis": {"user": "{TASK_ID}"}}),
        "/prompts/analysis/user",
        "only in workerExecution",
    ),
    "name of a variable in small letters": (
        child(variables={"language": "en"}),
        "/variables/language",
        "the name must be",
    ),
    "list for a variable": (
        child(variables={"X": ["a"]}),
        "/variables/X",
        "must be text or a number or true",
    ),
    "command as a text": (child(hooks={"onError": "notify me"}), "/hooks/onError", 'write ["notify", "me"]'),
    "hook that isn't there": (child(hooks={"onError": ["./tolls/tell"]}), "/hooks/onError/0", "isn't there"),
    "hook that can't be executed": (
        child(hooks={"onError": ["./tools/tell"]}),
        "/hooks/onError/0",
        "chmod +x ./tools/tell",
    ),
    "unknown hook": (
        child(hooks={"onFinish": ["true"]}),
        "/hooks/onFinish",
        "known are onAllWorkersComplete",
    ),
    "same delimiters": (
        child(prompts={"responseFormat": {"startDelimiter": "@@@@@@", "endDelimiter": "@@@@@@"}}),
        "/prompts/responseFormat",
        "neither may contain the other",
    ),
    "empty delimiter": (
        child(prompts={"responseFormat": {"startDelimiter": ""}}),
        "/prompts/responseFormat/startDelimiter",
        "must be",
    ),
    "cycle": (child(extends="mine"), "/extends", "mine -> mine"),
    "missing parent": (child(extends="documentaton"), "/extends", "did you mean documentation?"),
    "no parent": (
        {"id": "mine", "name": "Mine"},
        "/prompts",
        "a template without extends needs it",
    ),
    "no name": ({"id": "mine", "extends": "_default"}, "/name", "name is missing"),
    "id with a capital": (child() | {"id": "Mine"}, "/id", "a-z"),
    "id of another file": (child() | {"id": "other"}, "/id", "must be mine, the name of its file, not other"),
    "fewer tasks than the least": (
        child(phases={"taskPlanning": {"validation": {"minTasks": 9, "maxTasks": 3}}}),
        "/phases/taskPlanning/validation/minTasks",
        "must not be above maxTasks (3)",
    ),
    "field that no answer has": (
        child(prompts={"analysis": {"format": {"requiredFields": ["sumary"]}}}),
        "/prompts/analysis/format/requiredFields/0",
        "did you mean summary?",
    ),
    "missing comma": (
        '{"id": "mine"\n "name": "Mine"}',
        "",
        "line 2, column 2: a comma or a closing bracket",
    ),
    "comma too many": ('{"id": "mine",\n "name": "Mine",\n}', "", "a comma too many"),
    "comment": ('{"id": "mine", // mine\n "name": "Mine"}', "", "JSON has no comments"),
    "key twice": (
        '{"id": "mine",\n "name": "Mine",\n "extends": "_default",\n "name": "M"}',
        "",
        '"name" stands twice in the same object (lines 2 and 4): keep one of them',
    ),
    "key twice among others": (
        '{"prompts": {"worker": {"user": "a"}, "analysis": {"user" : "b", "user": "c"}}}',
        "",
        '"user" stands twice in the same object (lines 1, 1 and 1): keep one of them',
    ),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_an_author_s_slip_is_told_with_its_file_its_place_and_the_fix(slip: str, tmp_path: Path) -> None:
    """As `bigtask template validate FILE` says it, in the order in which an author reads."""
    written, pointer, said = SLIPS[slip]
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "tell").write_text("#!/bin/sh\n")
    folder = tmp_path / ".bigtask" / "templates"
    folder.mkdir(parents=True)
    file = folder / "mine.json"
    file.write_text(written if isinstance(written, str) else json.dumps(written))
    told = here(
        {"HOME": str(tmp_path), "BIGTASK_HOME": str(tmp_path / "home")}, "template", "validate", str(file)
    )
    assert "Traceback" not in told.err
    head, *problems = told.out.splitlines()
    assert str(file) in head
    line = next((line for line in problems if f"error {pointer}" in line or f" {pointer}: " in line), None)
    assert line is not None, told.out
    assert said in " ".join(told.out.split()), told.out


def test_shipped_templates_can_be_extended() -> None:
    for template_id in shipped():
        assert not TemplateManager().validate(child(extends=template_id)).errors
