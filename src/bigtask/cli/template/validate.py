"""`bigtask template validate`: errors and warnings with their places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bigtask.cli.completion import template_ids
from bigtask.cli.frame import EXIT_FAILED, EXIT_OK, Frame, json_option, print_json
from bigtask.cli.template.options import content_of, cwd_option, problem_line, problems
from bigtask.words import counted, one_line

if TYPE_CHECKING:
    from bigtask.templates.checking import Findings
    from bigtask.templates.listed import Listed
    from bigtask.templates.manager import TemplateManager


@click.command(
    short_help="Errors and warnings of files or templates, with their places.",
    epilog="Example: bigtask template validate .bigtask/templates/team-docs.json",
)
@click.argument("names", metavar="[ID|FILE|-]...", nargs=-1, shell_complete=template_ids)
@cwd_option
@json_option
@click.pass_obj
def command(frame: Frame, names: tuple[str, ...], cwd: Path, as_json: bool) -> int:
    """Checks templates without saving anything: files, standard input (-), or templates by their id; without
    a name, all of yours and the repository's.

    Each error and warning comes with the JSON pointer of its place. Exits with 1 when there is an error."""
    templates = frame.templates(cwd)
    found = list(_checked(templates, names))
    wrong = sum(len(findings.errors) for _, findings in found)
    if as_json:
        print_json(
            {
                "valid": not wrong,
                "templates": [
                    {
                        "name": name,
                        "valid": not findings.errors,
                        "errors": problems(findings.errors),
                        "warnings": problems(findings.warnings),
                    }
                    for name, findings in found
                ],
            }
        )
    else:
        _show(found)
    return EXIT_FAILED if wrong else EXIT_OK


def _checked(templates: TemplateManager, names: Sequence[str]) -> Iterator[tuple[str, Findings]]:
    from bigtask.templates.checking import Findings
    from bigtask.templates.listed import Source

    listed = templates.list()
    if not names:
        for one in listed:
            if one.source is not Source.SHIPPED:
                yield str(one.path), Findings(errors=one.errors, warnings=one.warnings)
    for name in names:
        known = _by_path(name, {one.path.resolve(): one for one in listed if one.path is not None})
        if known is not None or not _is_file(name):
            one = known or templates.find(name)
            yield name, Findings(errors=one.errors, warnings=one.warnings)
        else:
            yield name, templates.validate(content_of(name))


def _by_path(name: str, by_path: dict[Path, Listed]) -> Listed | None:
    """A file that lies where templates are used from is checked as one of them, its name included."""
    return by_path.get(Path(name).resolve()) if _is_file(name) and name != "-" else None


def _is_file(name: str) -> bool:
    """No id has a dot or a slash in it."""
    return name == "-" or "/" in name or "." in name


def _show(found: Sequence[tuple[str, Findings]]) -> None:
    from bigtask.cli.screen import STYLES, Screen, note, word

    screen = Screen()
    for name, findings in found:
        ok = not findings.errors
        screen.print(
            word(f"{'ok' if ok else 'error'}  {one_line(name)}", style="" if ok else STYLES["error"])
        )
        for problem in findings.errors:
            screen.item("error", problem_line(problem), style=STYLES["error"])
        for problem in findings.warnings:
            screen.item("warning", problem_line(problem), style=STYLES["warn"])
    errors = sum(len(findings.errors) for _, findings in found)
    warnings = sum(len(findings.warnings) for _, findings in found)
    note(f"{counted(len(found), 'template')}: {counted(errors, 'error')}, {counted(warnings, 'warning')}")
