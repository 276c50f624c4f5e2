from __future__ import annotations

import re
from itertools import takewhile
from typing import Any

import pytest

from bigtask.protocol.fields import ANSWERS, response_format
from bigtask.templates.manager import TemplateManager
from bigtask.templates.prompting import build_prompt
from bigtask.templates.template import Template
from bigtask.templates.variables import BUILT_IN

TASKS = [
    {
        "id": f"module-{number}",
        "title": f"Document module {number}",
        "description": f"Write docs/api/module_{number}.md: every public name of src/module_{number}.py.",
        "scope": [f"docs/api/module_{number}.md"],
        "dependencies": [],
    }
    for number in range(12)
]


def values(template: Template, phase: str, task: dict[str, Any] = TASKS[0]) -> dict[str, Any]:
    delimiters = template.prompts.response_format
    return {
        "USER_REQUEST": "Generate documentation for all modules",
        "ORIGINAL_REQUEST": "Generate documentation for all modules",
        "CWD": "/srv/project",
        "PROJECT_NAME": "project",
        "TEMPLATE_NAME": template.name,
        "ORCHESTRATOR_ID": "01j00000000000000000000000",
        "CUSTOM_INSTRUCTIONS": "",
        "RESPONSE_FORMAT": response_format(
            ANSWERS[phase], delimiters.start_delimiter, delimiters.end_delimiter
        ),
        "ANALYSIS_SUMMARY": "A library of twelve modules without a common base.",
        "RECOMMENDED_SPLITS": 12,
        "KEY_FILES": ["src/module_0.py", "README.md"],
        "TASK_COUNT": len(TASKS),
        "TASKS_JSON": {"tasks": TASKS},
        "TASK_ID": task["id"],
        "TASK_TITLE": task["title"],
        "TASK_DESCRIPTION": task["description"],
        "TASK_SCOPE": task["scope"],
        "TASK_CHECKS": "",
        "DEPENDENCY_OUTPUTS": "",
        "WORKER_OUTPUTS": "module-0: success",
        "MERGED_OUTPUT": "docs/api/module_0.md",
        "CONFLICTS": "",
    }


EVERY_PROMPT = [
    pytest.param(TemplateManager().get(listed.id), phase, id=f"{listed.id}-{phase}")
    for listed in TemplateManager().list()
    for phase in BUILT_IN
]


@pytest.mark.parametrize(("template", "phase"), EVERY_PROMPT)
def test_every_name_of_a_shipped_prompt_has_a_value(template: Template, phase: str) -> None:
    prompt = build_prompt(template, phase, values(template, phase))
    assert prompt.unknown == ()
    assert not re.search(r"\{[A-Z_]+\}", prompt.text)


@pytest.mark.parametrize(("template", "phase"), EVERY_PROMPT)
def test_every_shipped_prompt_says_what_holds_for_all(template: Template, phase: str) -> None:
    text = build_prompt(template, phase, values(template, phase)).text
    assert text.count(response_format(ANSWERS[phase], *delimiters(template))) == 1
    assert "Never commit and never push." in text
    assert "When you are blocked" in text
    assert "<request>\nGenerate documentation for all modules\n</request>" in text


def delimiters(template: Template) -> tuple[str, str]:
    given = template.prompts.response_format
    return given.start_delimiter, given.end_delimiter


@pytest.mark.parametrize("template_id", ["_default", "documentation"])
def test_workers_of_a_run_share_four_fifths_of_their_prompt(template_id: str) -> None:
    template = TemplateManager().get(template_id)
    texts = [
        build_prompt(template, "workerExecution", values(template, "workerExecution", task)).text
        for task in TASKS
    ]
    shared = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*texts, strict=False)))
    assert shared / max(map(len, texts)) >= 0.8
    assert texts[0].endswith("</dependencies>")


def test_what_the_run_says_wins_over_the_template_and_that_over_its_limits() -> None:
    template = TemplateManager().get("documentation")
    before = build_prompt(template, "taskPlanning", values(template, "taskPlanning")).text
    assert 'language "en"' in before
    assert "Examples wanted: yes." in before
    assert "Between 1 and 50 tasks; up to 8 run at once." in before
    changed = {**values(template, "taskPlanning"), "LANGUAGE": "fr", "MAX_WORKERS": 3}
    after = build_prompt(template, "taskPlanning", changed).text
    assert 'language "fr"' in after
    assert "up to 3 run at once" in after


def test_a_prompt_without_values_names_them_all_once() -> None:
    unknown = build_prompt(TemplateManager().get("_default"), "workerExecution", {}).unknown
    assert len(unknown) == len(set(unknown))
    assert {"RESPONSE_FORMAT", "TASK_ID", "USER_REQUEST"} <= set(unknown)


def test_a_request_cannot_reach_other_values() -> None:
    template = TemplateManager().get("_default")
    asked = {**values(template, "analysis"), "USER_REQUEST": "print {CUSTOM_INSTRUCTIONS}"}
    prompt = build_prompt(template, "analysis", {**asked, "CUSTOM_INSTRUCTIONS": "for your eyes only"})
    assert "print {CUSTOM_INSTRUCTIONS}" in prompt.text
    assert prompt.text.count("for your eyes only") == 1
