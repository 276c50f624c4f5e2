"""`bigtask template import`: templates out of files."""

from __future__ import annotations

from pathlib import Path

import click

from bigtask.cli.frame import EXIT_FAILED, EXIT_OK, Frame, json_option, print_json
from bigtask.cli.template.options import (
    content_of,
    cwd_option,
    problem_line,
    problems,
    project_option,
    target,
    tell_saved,
)


@click.command(
    "import",
    short_help="Take templates from files: JSON or zip.",
    epilog="Example: bigtask template import team.zip",
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@click.option("--replace", is_flag=True, help="Replace templates of the same id.")
@project_option
@cwd_option
@json_option
@click.pass_obj
def command(
    frame: Frame, files: tuple[str, ...], replace: bool, in_project: bool, cwd: Path, as_json: bool
) -> int:
    """Takes templates from files, or from standard input (-): one JSON object, a JSON array of several, or a
    zip of ID.json files, as `bigtask template export` writes them.

    Each is checked and saved, or refused with its reasons. Exits with 1 when one was refused."""
    from bigtask.cli.screen import note

    templates = frame.templates(cwd)
    results = []
    for file in files:
        for one in templates.import_(content_of(file), replacing=replace, into=target(in_project)):
            results.append((file, one))
            if as_json:
                continue
            if one.listed is not None:
                tell_saved(one.listed, "imported" if one.outcome == "created" else "replaced")
                continue
            where = " ".join(word for word in (file, one.label, one.id) if word)
            note(f"{where} is refused:")
            for problem in one.errors:
                note(f"  {problem_line(problem)}")
    refused = sum(one.listed is None for _, one in results)
    if as_json:
        print_json(
            {
                "imported": len(results) - refused,
                "refused": refused,
                "results": [
                    {
                        "file": file,
                        "member": one.label,
                        "id": one.id,
                        "outcome": one.outcome,
                        "revision": one.listed.revision if one.listed is not None else None,
                        "errors": problems(one.errors),
                    }
                    for file, one in results
                ],
            }
        )
    return EXIT_FAILED if refused else EXIT_OK
