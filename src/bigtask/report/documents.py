"""The forms of a result that need nothing but the result, by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bigtask.report.as_json import as_json
from bigtask.report.junit import junit
from bigtask.report.markdown import markdown
from bigtask.report.result import RunResult

DOCUMENTS: Mapping[str, Callable[[RunResult], str]] = {
    "markdown": markdown,
    "json": as_json,
    "junit": junit,
}
