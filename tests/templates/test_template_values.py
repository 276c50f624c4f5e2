"""Any value appears verbatim where its name stands, and nowhere else."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from bigtask.templates.library import shipped
from bigtask.templates.manager import TemplateManager
from bigtask.templates.preview import preview
from bigtask.templates.template import Template, thaw
from bigtask.templates.variables import render

EXAMPLES = 5_000 if os.environ.get("BIGTASK_FULL") else 300

_NAMES = ("A", "B", "CWD", "USER_REQUEST", "SECRET")
_PIECES = st.sampled_from(
    [
        "{A}",
        "{B}",
        "{CWD}",
        "{{A}}",
        "{",
        "}",
        "{}",
        "{a}",
        "%s",
        "{0}",
        "${A}",
        "{A!r}",
        "{A.__class__}",
        "\\1",
        "\\g<0>",
        "$1",
        "{SECRET}",
        "{NOPE}",
    ]
)
VALUES = st.lists(_PIECES | st.text(max_size=6), max_size=8).map("".join)
TEXTS = st.lists(
    st.text(alphabet=st.characters(exclude_characters="{}", exclude_categories=["Cs"]), max_size=8),
    min_size=6,
    max_size=6,
)


@settings(max_examples=EXAMPLES)
@given(
    texts=TEXTS,
    order=st.lists(st.sampled_from([*_NAMES, "NOPE"]), min_size=5, max_size=5),
    values=st.fixed_dictionaries(dict.fromkeys(_NAMES, VALUES)),
)
def test_a_rendered_text_is_the_texts_between_the_names_and_the_values_in_their_places(
    texts: list[str], order: list[str], values: dict[str, str]
) -> None:
    template = texts[0] + "".join(f"{{{name}}}{text}" for name, text in zip(order, texts[1:], strict=True))
    expected = texts[0] + "".join(
        values.get(name, "{NOPE}") + text for name, text in zip(order, texts[1:], strict=True)
    )
    found = render(template, values)
    assert found.text == expected
    assert set(found.unknown) == {"NOPE"} & set(order)


def template_of(user: str) -> Template:
    raw = {**shipped()["_default"], "variables": {"SECRET": "canary"}}
    prompts = {**raw["prompts"], "worker": {"system": "{RESPONSE_FORMAT}", "user": user}}
    return thaw({**raw, "prompts": prompts})


@settings(max_examples=EXAMPLES)
@given(value=VALUES)
def test_no_value_that_is_given_reaches_another_one(value: str) -> None:
    found = preview(template_of("<{USER_REQUEST}>"), "worker", {"USER_REQUEST": value})
    assert found.prompt.user == f"<{value}>"
    assert "canary" not in found.prompt.text


def test_what_forms_a_delimiter_is_neutralised_and_nothing_else() -> None:
    template = template_of("{USER_REQUEST}{USER_REQUEST}")
    start = template.prompts.response_format.start_delimiter
    found = preview(template, "worker", {"USER_REQUEST": f"say {start} twice"})
    assert start not in found.prompt.user
    assert start in found.prompt.system
    assert found.prompt.user.count("say ") == 2


def test_what_is_given_for_the_response_format_does_not_count() -> None:
    found = preview(template_of("x"), "worker", {"RESPONSE_FORMAT": "answer as you like"})
    assert "answer as you like" not in found.prompt.text


def test_names_without_a_value_and_values_without_a_use_are_told() -> None:
    found = preview(template_of("{SECRT} {NOPE}"), "worker", {"LANGUAG": "fr", "SECRET": 1})
    assert found.prompt.unknown == ("SECRT", "NOPE")
    assert found.warnings == (
        "{SECRT} has no value and stays as it is: did you mean SECRET?",
        "{NOPE} has no value and stays as it is",
        "no prompt of _default uses LANGUAG",
        "no prompt of _default uses SECRET",
    )


def test_every_prompt_of_every_shipped_template_can_be_looked_at() -> None:
    manager = TemplateManager()
    for one in manager.list():
        for phase in ("analysis", "taskPlanning", "workerExecution", "aggregation", "verification"):
            assert manager.preview(one.id, phase).warnings == ()
        assert manager.preview(one.id, "WORKER").phase == "workerExecution"
