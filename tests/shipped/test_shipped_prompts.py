"""What every shipped template keeps to. JSON has no way to say a thing once for several prompts."""

from __future__ import annotations

import pytest

from bigtask.templates.manager import TemplateManager
from bigtask.templates.template import PromptPair, Template
from bigtask.templates.variables import names

from .beginning import common_beginning

IDS = [listed.id for listed in TemplateManager().list()]


def prompts(template: Template) -> dict[str, PromptPair]:
    found = template.prompts
    return {
        "analysis": found.analysis,
        "taskPlanning": found.task_planning,
        "worker": found.worker,
        "aggregation": found.aggregation,
        "verification": found.verification,
    }


def test_these_are_shipped() -> None:
    assert IDS == ["_default", "documentation", "implementation", "research"]


@pytest.mark.parametrize("template_id", IDS)
def test_a_shipped_template_has_neither_errors_nor_warnings(template_id: str) -> None:
    manager = TemplateManager()
    # As a template of somebody's own: a shipped id is reserved.
    raw = {**manager.get(template_id, resolved=False), "id": "checked"}
    findings = manager.validate(raw)
    assert (findings.errors, findings.warnings) == ((), ())


@pytest.mark.parametrize("template_id", IDS)
def test_every_phase_begins_with_the_same_rules(template_id: str) -> None:
    """A rule that was mended in one copy only is found here."""
    pairs = prompts(TemplateManager().get(template_id))
    of_all = common_beginning([pair.system for pair in pairs.values()])
    assert of_all.endswith("answer with what is missing and what you tried.\n\nYour part: ")
    of_template = common_beginning([pair.user for pair in pairs.values()])
    assert of_template.endswith("<instructions>\n{CUSTOM_INSTRUCTIONS}\n</instructions>\n\n")


@pytest.mark.parametrize("template_id", sorted(set(IDS) - {"_default"}))
def test_a_variable_is_used_in_every_phase(template_id: str) -> None:
    template = TemplateManager().get(template_id)
    for phase, pair in prompts(template).items():
        missing = set(template.variables) - set(names(pair.user))
        assert not missing, f"{phase} doesn't say {missing}"


@pytest.mark.parametrize("template_id", IDS)
def test_only_what_becomes_part_of_the_result_may_be_changed(template_id: str) -> None:
    pairs = prompts(TemplateManager().get(template_id))
    for phase in ("analysis", "taskPlanning", "aggregation", "verification"):
        said = pairs[phase].system.casefold()
        assert any(words in said for words in ("change no file", "you change no file")), phase


@pytest.mark.parametrize(
    ("template_id", "worker_timeout_ms", "max_workers", "max_fixes"),
    [
        ("_default", 300_000, 5, None),
        ("documentation", 300_000, 8, None),
        ("implementation", 1_800_000, 5, 2),
        ("research", 900_000, 5, 1),
    ],
)
def test_the_limits_are_those_that_the_pages_tell(
    template_id: str, worker_timeout_ms: int, max_workers: int, max_fixes: int | None
) -> None:
    template = TemplateManager().get(template_id)
    verification = template.phases.verification
    assert template.config.worker_timeout_ms == worker_timeout_ms
    assert template.config.max_workers == max_workers
    assert (verification.max_fixes if verification.auto_fix else None) == max_fixes
    assert template.phases.task_planning.validation.require_scope is (max_fixes is not None)
