"""Commands that ask nobody (`--ci`): no colours, and a folder for what they leave."""

from __future__ import annotations

from pathlib import Path

import click

from bigtask.cli import ci_report

report_dir_option = click.option(
    "--report-dir",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"With --ci: where report.md and report.xml (JUnit) go. Default: {ci_report.FOLDER}.",
)


def quietly(report_dir: Path | None) -> Path:
    """Where the reports go, by its absolute path; from now on nothing is printed in colour."""
    context: click.Context | None = click.get_current_context()
    while context is not None:
        context.color, context = False, context.parent
    return (report_dir or Path(ci_report.FOLDER)).absolute()
