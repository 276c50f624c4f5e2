"""Values for the names that bigtask fills in itself, for a prompt that is only looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bigtask.protocol.fields import ANSWERS, response_format
from bigtask.templates.template import Template

_TASKS = (
    {
        "id": "first-part",
        "title": "The first part",
        "description": "What the planning said about the first part.",
        "scope": ["src/first/**"],
        "dependencies": [],
    },
    {
        "id": "second-part",
        "title": "The second part",
        "description": "What the planning said about the second part.",
        "scope": ["src/second/**", "tests/second/**"],
        "dependencies": ["first-part"],
    },
)


def sample_values(template: Template, phase: str) -> Mapping[str, Any]:
    """One for every name of `BUILT_IN[phase]` that the template's own limits don't give."""
    request = "Sample request: do the whole of the work"
    task = _TASKS[1]
    delimiters = template.prompts.response_format
    return {
        "USER_REQUEST": request,
        "ORIGINAL_REQUEST": request,
        "CWD": "/home/you/project",
        "PROJECT_NAME": "project",
        "TEMPLATE_NAME": template.name,
        "ORCHESTRATOR_ID": "01sample00000000000000000a",
        "CUSTOM_INSTRUCTIONS": "",
        "RESPONSE_FORMAT": response_format(
            ANSWERS[phase], delimiters.start_delimiter, delimiters.end_delimiter
        ),
        "ANALYSIS_SUMMARY": "What the analysis said about the project, in a few sentences.",
        "RECOMMENDED_SPLITS": len(_TASKS),
        "KEY_FILES": ["README.md", "src/first/main.py"],
        "TASK_COUNT": len(_TASKS),
        "TASKS_JSON": {"tasks": _TASKS},
        "TASK_ID": task["id"],
        "TASK_TITLE": task["title"],
        "TASK_DESCRIPTION": task["description"],
        "TASK_SCOPE": task["scope"],
        "TASK_CHECKS": "- `make test` ends with 0\n- every public name has an example",
        "DEPENDENCY_OUTPUTS": "first-part: success. What the first part left.",
        "WORKER_OUTPUTS": "first-part: success\nsecond-part: success",
        "MERGED_OUTPUT": "2 files changed",
        "CONFLICTS": "",
    }
