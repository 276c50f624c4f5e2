"""What a page needs to make runs, plans and templates: looked at, and nothing is changed by it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import BASE, Workshop

pytestmark = pytest.mark.integration


def test_edits_of_a_plan_are_looked_at_and_nothing_is_changed(shop: Workshop) -> None:
    id = shop.planned()
    before = shop.server.events(id)[-1]["seq"]
    ask = {"revision": 1, "edits": [{"op": "set", "id": "left", "fields": {"title": "", "agent": "nobody"}}]}
    found = shop.server.post(f"{BASE}/{id}/plan/check", ask)["outlook"]
    assert found["problems"] == [
        {"sentence": "task left has no title", "taskId": "left", "field": "title"},
        {
            "sentence": "task left wants the agent nobody, which doesn't exist",
            "taskId": "left",
            "field": "agent",
        },
    ]
    assert shop.server.events(id)[-1]["seq"] == before
    usable = {"revision": 1, "edits": [{"op": "set", "id": "left", "fields": {"agent": "offline"}}]}
    assert shop.server.post(f"{BASE}/{id}/plan/check", usable)["outlook"]["problems"] == []
    stale = shop.server.ask("POST", f"{BASE}/{id}/plan/check", {"revision": 7, "edits": []})
    assert (stale.status, stale.said["details"]) == (412, {"given": 7, "current": 1})
    assert shop.server.ask("POST", f"{BASE}/{id}/plan/check", {"edits": []}).status == 400


def test_a_project_is_told_or_refused_in_a_sentence(shop: Workshop, tmp_path: Path) -> None:
    found = shop.server.get(f"/api/project?cwd={shop.project.root}")
    assert (found["kind"], found["cwd"], found["dirtyCount"]) == ("git", str(shop.project.root), 0)
    for cwd, said in (
        ("src", "give the absolute path"),
        ("/%00", "can't be a folder"),
        ("/" + "a" * 300, "can't be a folder"),
        (str(tmp_path / "none"), str(tmp_path / "none")),
    ):
        refused = shop.server.ask("GET", f"/api/project?cwd={cwd}")
        assert refused.status == 400
        assert said in refused.said["message"]


def test_options_of_a_run_reach_its_settings(shop: Workshop) -> None:
    other = {"verification": shop.desk.script({"tasks": []})}
    id = shop.create(agentFor=other, workerTimeoutMs=60_000)
    settings = shop.server.events(id)[0]["data"]["settings"]
    assert (settings["agentFor"], settings["workerTimeoutMs"]) == (other, 60_000)
    wrong = shop.body(workerTimeoutMs=5)
    refused = shop.server.ask("POST", f"{BASE}/create", wrong)
    assert refused.said["details"]["errors"][0]["pointer"] == "/options/workerTimeoutMs"


def test_a_template_s_file_is_read_as_it_is_broken_or_not(shop: Workshop) -> None:
    file = shop.desk.home.templates / "torn.json"
    file.write_text('{"id": "torn", "name": ')
    try:
        assert shop.server.get(f"{BASE}/templates/torn/text")["text"] == '{"id": "torn", "name": '
    finally:
        file.unlink()
    assert shop.server.ask("GET", f"{BASE}/templates/documentation/text").status == 403


def test_a_prompt_is_previewed_of_what_is_not_saved(shop: Workshop) -> None:
    own = shop.server.get(f"{BASE}/templates/tested?resolved=false")["template"]
    unsaved = {**own, "prompts": {"worker": {"user": "Only here {RESPONSE_FORMAT}"}}}
    found = shop.server.post(f"{BASE}/templates/tested/preview", {"template": unsaved})
    assert found["user"].startswith("Only here")
    assert "Only here" not in json.dumps(shop.server.get(f"{BASE}/templates/tested"))
    refused = shop.server.ask(
        "POST", f"{BASE}/templates/tested/preview", {"template": {**unsaved, "extends": "nobody"}}
    )
    assert refused.status == 400
    assert refused.said["details"]["errors"][0]["pointer"] == "/extends"


def test_the_schema_of_templates_is_told(shop: Workshop) -> None:
    schema = shop.server.get("/api/schemas/template")["schema"]
    assert schema["$id"] == "urn:bigtask:template"
    assert "maxWorkers" in schema["properties"]["config"]["properties"]
