"""docs/templates.md: its tables are those of schema.json, its commands run and print what it shows."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bigtask.templates.manager import TemplateManager
from bigtask.templates.shape import schema
from bigtask.templates.variables import BUILT_IN
from cli.here import here
from projects import repository

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "templates.md"
TEXT = PAGE.read_text()


def rows() -> Iterator[str]:
    """A row of the reference for every key of schema.json."""
    yield from _rows(dict(schema()), "")


def _rows(part: dict[str, Any], where: str) -> Iterator[str]:
    for key, found in part["properties"].items():
        inner = found
        if "$ref" in found:
            inner = {**schema()["$defs"][found["$ref"].rpartition("/")[2]], **found}
        if inner.get("properties"):
            yield from _rows(inner, f"{where}{key}.")
        else:
            yield f"| `{where}{key}` | {_kind(inner)} | {_default(inner)} | {inner['description']} |"


def _kind(part: dict[str, Any]) -> str:
    if "enum" in part:
        return " or ".join(f"`{one}`" for one in part["enum"] if one is not None)
    kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
    kind = next(kind for kind in kinds if kind != "null")
    match kind:
        case "integer" | "number":
            number = "whole number" if kind == "integer" else "number"
            if "maximum" in part:
                return f"{number}, {part['minimum']} to {part['maximum']}"
            return f"{number} above {part['exclusiveMinimum']}"
        case "array":
            items = part["items"]
            if "$ref" in items:
                return "list of commands"
            if "enum" in items:
                return "list of " + ", ".join(f"`{one}`" for one in items["enum"])
            return "command" if part.get("minItems") else "list of texts"
        case "string":
            least = part.get("minLength", 0)
            plain = "text" if not least else f"text of at least {least} character" + "s" * (least > 1)
            return str(part.get("patternErrorMessage", plain))
        case "boolean":
            return "true or false"
        case _:
            return "object"


def _default(part: dict[str, Any]) -> str:
    if "default" not in part or part["default"] in ("", [], {}):
        return "–"
    return f"`{json.dumps(part['default'], ensure_ascii=False)}`"


def test_every_field_is_described_as_the_schema_has_it() -> None:
    missing = [row for row in rows() if row not in TEXT.splitlines()]
    assert missing == []


def test_nothing_else_is_described() -> None:
    described = re.findall(r"^\| `([a-zA-Z$.]+)` \|", TEXT, re.MULTILINE)
    assert sorted(described) == sorted(row.split("`")[1] for row in rows())


def test_every_name_that_bigtask_fills_in_is_described() -> None:
    for name in frozenset().union(*BUILT_IN.values()):
        assert f"`{name}`" in TEXT, name


def examples() -> list[dict[str, Any]]:
    return [json.loads(found) for found in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)]


def test_its_examples_are_templates_without_a_warning() -> None:
    assert len(examples()) >= 2
    for raw in examples():
        found = TemplateManager().validate(raw)
        assert found.errors == ()
        assert [one for one in found.warnings if "isn't there" not in one[1]] == []


def sessions() -> list[tuple[str, str]]:
    """Each command of the console blocks with what the page shows below it."""
    blocks = re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, shown) for command, _, shown in (part.partition("\n") for part in parts)]


def test_its_commands_print_what_it_shows(tmp_path: Path) -> None:
    project = repository(tmp_path / "project").root
    home = tmp_path / "home"
    home.mkdir()
    templates = project / ".bigtask" / "templates"
    templates.mkdir(parents=True)
    (templates / "team-docs.json").write_text(json.dumps(examples()[1]))
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "BIGTASK_HOME": str(home), "LC_ALL": "C.UTF-8"}
    assert len(sessions()) >= 8
    for command, shown in sessions():
        program, *arguments = shlex.split(command)
        assert program == "bigtask"
        stdin = ""
        if "<" in arguments:
            # What the page tells to write into a file is its first example.
            arguments, stdin = arguments[: arguments.index("<")], json.dumps(examples()[0])
        said = here(env, *arguments, cwd=project, stdin=stdin)
        assert said.status in (0, 1, 2, 3), command
        printed = (said.out + said.err).replace(str(home), "~/.local/share/bigtask")
        printed = printed.replace(str(project), "~/project")
        _same(command, shown, printed)


def _same(command: str, shown: str, printed: str) -> None:
    """`…` on the page stands for anything, also for whole lines."""
    wanted = ".*".join(re.escape(piece) for piece in shown.rstrip().split("…"))
    if re.fullmatch(wanted, printed.strip(), re.DOTALL) is None:
        pytest.fail(f"$ {command}\n{printed}\n--- the page shows:\n{shown}")
