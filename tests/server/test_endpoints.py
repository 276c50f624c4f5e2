"""The endpoints as a program uses them: a real server, real git, the scripted agent."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bigtask.core.states import TaskState
from promises.scale import share

from .conftest import BASE, Workshop

pytestmark = pytest.mark.integration

NOBODY = "0" * 26


def test_a_run_goes_its_whole_way_over_http(shop: Workshop) -> None:
    server = shop.server
    id = shop.create()
    assert server.get(f"{BASE}/{id}/status")["orchestrator"]["status"] == "created"
    server.post(f"{BASE}/{id}/start")
    server.wait_for(id, "orchestrator:waiting")
    state = server.get(f"{BASE}/{id}/status")["orchestrator"]
    assert state["status"] == "confirming"
    assert state["held"]
    assert state["allowed"] == ["cancel", "confirm", "edit", "pause"]
    edit = {"revision": state["revision"], "edits": [{"op": "set", "id": "left", "fields": {"priority": 1}}]}
    assert server.ask("PUT", f"{BASE}/{id}/plan", edit).status == 200
    server.post(f"{BASE}/{id}/confirm", {"modifications": {"right": {"priority": 2}}})
    server.wait_for(id, "orchestrator:completed")

    whole = server.get(f"{BASE}/{id}")["orchestrator"]
    assert whole["outcome"] == "complete"
    assert {task["id"]: task.get("priority", 5) for task in whole["plan"]["tasks"]} == {
        "left": 1,
        "right": 2,
        "both": 5,
    }
    progress = server.get(f"{BASE}/{id}/status")["orchestrator"]["progress"]
    assert progress["total"] == progress["completed"] == 3
    assert sum(progress[state.value] for state in TaskState) == 3

    assert server.get(f"{BASE}/{id}/result")["result"]["run"]["outcome"] == "complete"
    diff = server.get(f"{BASE}/{id}/diff")
    assert [file["path"] for file in diff["files"]] == ["both.txt", "left.txt", "right.txt"]
    assert "+++ b/left.txt" in diff["patch"]
    of_one = server.get(f"{BASE}/{id}/diff?taskId=left")
    assert [file["path"] for file in of_one["files"]] == ["left.txt"]

    merged = server.post(f"{BASE}/{id}/merge")
    assert (merged["already"], merged["files"]) == (False, ["both.txt", "left.txt", "right.txt"])
    assert (shop.project.root / "left.txt").exists()
    assert server.post(f"{BASE}/{id}/merge")["already"]
    server.post(f"{BASE}/{id}/merge/undo")
    assert not (shop.project.root / "left.txt").exists()
    assert [
        e["data"].get("undone", False) for e in server.events(id) if e["type"] == "orchestrator:merged"
    ] == [
        False,
        True,
    ]
    assert server.ask("DELETE", f"{BASE}/{id}").status == 200
    assert server.ask("GET", f"{BASE}/{id}").status == 404


def test_a_move_that_holds_already_is_a_success_and_one_that_isnt_possible_says_the_status(
    shop: Workshop,
) -> None:
    server, id = shop.server, shop.planned()
    before = len(server.events(id))
    assert server.ask("POST", f"{BASE}/{id}/start").status == 200
    assert server.ask("POST", f"{BASE}/{id}/resume").status == 200
    assert len(server.events(id)) == before
    server.post(f"{BASE}/{id}/pause")
    paused = server.wait_for(id, "orchestrator:paused")["seq"]
    assert server.ask("POST", f"{BASE}/{id}/pause").status == 200
    assert server.events(id)[-1]["seq"] == paused
    assert server.post(f"{BASE}/{id}/resume")["orchestrator"]["status"] == "confirming"
    early = server.ask("POST", f"{BASE}/{id}/merge")
    assert (early.status, early.said["details"]) == (409, {"status": "confirming"})
    server.post(f"{BASE}/{id}/cancel")
    assert server.ask("POST", f"{BASE}/{id}/cancel").status == 200
    refused = server.ask("POST", f"{BASE}/{id}/pause")
    assert (refused.status, refused.said["error"]) == (409, "ConflictError")
    assert refused.said["details"] == {"status": "cancelled"}
    assert "possible:" in refused.said["message"]


def test_a_key_makes_one_run_however_often_and_at_once_it_is_sent(shop: Workshop) -> None:
    body, key = shop.body(), {"Idempotency-Key": "one-and-the-same"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: shop.server.ask("POST", f"{BASE}/create", body, headers=key), range(8))
        )
    assert {answer.status for answer in answers} == {201}
    assert len({answer.said["orchestratorId"] for answer in answers}) == 1
    other = shop.server.ask("POST", f"{BASE}/create", {**body, "message": "Something else"}, headers=key)
    assert other.status == 409
    wrong = shop.server.ask("POST", f"{BASE}/create", body, headers={"Idempotency-Key": "x" * 300})
    assert wrong.status == 400


def test_a_request_that_made_nothing_can_be_repeated_under_its_key(shop: Workshop) -> None:
    body, key = shop.body(), {"Idempotency-Key": "at-first-in-vain"}
    (shop.desk.home.templates / "tested.json").rename(shop.desk.home.path / "away.json")
    try:
        assert shop.server.ask("POST", f"{BASE}/create", body, headers=key).status == 404
    finally:
        (shop.desk.home.path / "away.json").rename(shop.desk.home.templates / "tested.json")
    assert shop.server.ask("POST", f"{BASE}/create", body, headers=key).status == 201


def test_two_clients_that_edit_a_plan_lose_nothing(shop: Workshop) -> None:
    server, id = shop.server, shop.planned()
    together = threading.Barrier(2)

    def edit(who: str) -> None:
        together.wait()
        made = 0
        while made < share(250):
            plan = server.get(f"{BASE}/{id}")["orchestrator"]["plan"]
            text = plan["tasks"][0].get("description", "")
            fields = {"description": f"{text} {who}{made}"}
            answer = server.ask(
                "PUT",
                f"{BASE}/{id}/plan",
                {"revision": plan["revision"], "edits": [{"op": "set", "id": "left", "fields": fields}]},
            )
            assert answer.status in (200, 412), answer.text
            if answer.status == 200:
                made += 1
            else:
                assert answer.said["error"] == "PreconditionFailed"

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(edit, "a"), pool.submit(edit, "b")]:
            future.result()
    plan = server.get(f"{BASE}/{id}")["orchestrator"]["plan"]
    kept = [word for word in plan["tasks"][0]["description"].split() if word[1:].isdigit()]
    assert sorted(kept) == sorted(f"{who}{number}" for who in "ab" for number in range(share(250)))
    server.post(f"{BASE}/{id}/cancel")


def test_the_same_goes_for_templates(shop: Workshop) -> None:
    server, base = shop.server, f"{BASE}/templates"
    made = server.ask("POST", base, {"id": "mine", "name": "Mine", "extends": "_default"})
    assert made.status == 201
    assert server.ask("POST", base, {"id": "mine", "name": "Again", "extends": "_default"}).status == 409
    revision = server.get(f"{base}/mine?resolved=false")["revision"]
    assert made.headers["etag"] == f'"{revision}"'
    change = {"id": "mine", "name": "Changed", "extends": "_default"}
    assert server.ask("PUT", f"{base}/mine", change).status == 400
    changed = server.ask("PUT", f"{base}/mine", change, headers={"If-Match": made.headers["etag"]})
    assert changed.status == 200
    late = server.ask("PUT", f"{base}/mine?revision={revision}", {**change, "name": "Late"})
    assert (late.status, late.said["error"]) == (412, "PreconditionFailed")
    assert server.get(f"{base}/mine")["template"]["name"] == "Changed"
    assert server.ask("PUT", f"{base}/documentation?revision=x", change).status == 403
    assert server.ask("DELETE", f"{base}/documentation").status == 403
    copy = server.post(f"{base}/mine/duplicate", {"name": "My copy"})
    assert copy["template"]["id"] == "my-copy"
    server.ask("POST", base, {"id": "child", "name": "Child", "extends": "mine"})
    assert server.ask("DELETE", f"{base}/mine").status == 409
    exported = server.get(f"{base}/export?id=child&id=mine")["templates"]
    for id in ("child", "mine", "my-copy"):
        assert server.ask("DELETE", f"{base}/{id}").status == 200
    back = server.post(f"{base}/import", {"templates": list(exported.values())})["imported"]
    assert {(one["id"], one["outcome"]) for one in back} == {("mine", "created"), ("child", "created")}
    wrong = server.post(f"{base}/validate", {"id": "X", "config": {"maxWorkers": "many"}})
    assert not wrong["valid"]
    assert "/config/maxWorkers" in {error["pointer"] for error in wrong["errors"]}
    bad = server.ask("POST", base, {"id": "bad", "name": "Bad", "extends": "nobody"})
    assert bad.status == 400
    assert bad.said["details"]["errors"]
    assert server.post(f"{base}/mine/preview", {"phase": "worker"})["user"]


def test_workers_are_listed_retried_and_spoken_to(shop: Workshop) -> None:
    server, id = shop.server, shop.done()
    workers = server.get(f"{BASE}/{id}/workers?status=completed")["workers"]
    assert [worker["taskId"] for worker in workers] == ["left", "right", "both"]
    assert server.get(f"{BASE}/{id}/workers?status=failed")["workers"] == []
    said = server.get(f"{BASE}/{id}/workers/left/transcript?limit=1")
    assert (len(said["lines"]), said["after"], said["attempt"]) == (1, 1, 1)
    rest = server.get(f"{BASE}/{id}/workers/left/transcript?after={said['after']}")["lines"]
    assert rest
    assert said["lines"][0] not in rest
    assert server.ask("GET", f"{BASE}/{id}/workers/left/transcript?attempt=7").status == 404
    again = server.post(f"{BASE}/{id}/workers/left/retry")
    assert again["sessionId"]
    assert again["worker"]["attempts"][1]["sessionId"] == again["sessionId"]
    server.wait(id, lambda event: event["type"] == "orchestrator:completed" and event["seq"] > 50)
    assert server.ask("POST", f"{BASE}/{id}/workers/left/message", {"text": "hello"}).status == 409
    assert server.ask("POST", f"{BASE}/{id}/workers/left/pause").status == 409
    for verb in ("retry", "cancel", "pause", "resume"):
        assert server.ask("POST", f"{BASE}/{id}/workers/nobody/{verb}").status == 404


def test_what_waits_is_answered(shop: Workshop) -> None:
    server, id = shop.server, shop.planned()
    waiting = [item for item in server.get("/api/inbox")["waiting"] if item["orchestratorId"] == id]
    assert [(item["kind"], item["request"]) for item in waiting] == [("plan", "Do the work")]
    wrong = server.ask("POST", f"{BASE}/{id}/answer", {"waitingId": waiting[0]["id"], "answer": "perhaps"})
    assert wrong.status == 400
    assert server.ask("POST", f"{BASE}/{id}/answer", {"waitingId": "w9", "answer": "x"}).status == 404
    server.post(f"{BASE}/{id}/answer", {"waitingId": waiting[0]["id"], "answer": "cancel"})
    assert server.get(f"{BASE}/{id}/status")["orchestrator"]["status"] == "cancelled"


def test_runs_are_listed_page_by_page(shop: Workshop) -> None:
    made = {shop.create() for _ in range(5)}
    found: list[str] = []
    cursor = ""
    while True:
        page = shop.server.get(f"{BASE}?limit=2&status=created{cursor}")
        found += [run["id"] for run in page["orchestrators"]]
        if page["cursor"] is None:
            break
        cursor = f"&cursor={page['cursor']}"
    assert len(found) == len(set(found))
    assert made <= set(found)
    assert found == sorted(found, reverse=True)
    assert shop.server.ask("GET", f"{BASE}?cursor=x").status == 400


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/templateId"),
        ({"templateId": "tested", "cwd": 3, "message": "x"}, "/cwd"),
        (
            {"templateId": "tested", "cwd": "/x", "message": "x", "options": {"maxWorkers": "5"}},
            "/options/maxWorkers",
        ),
        (
            {"templateId": "tested", "cwd": "/x", "message": "x", "options": {"maxWorkers": 0}},
            "/options/maxWorkers",
        ),
        ({"templateId": "tested", "cwd": "/x", "message": "x", "a/b~c": 1}, "/a~1b~0c"),
    ],
)
def test_what_is_wrong_with_a_body_is_told_with_its_place(
    shop: Workshop, body: dict[str, Any], pointer: str
) -> None:
    refused = shop.server.ask("POST", f"{BASE}/create", body)
    assert (refused.status, refused.said["error"]) == (400, "ValidationError")
    assert pointer in {error["pointer"] for error in refused.said["details"]["errors"]}


BOMBS = [
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"n": 1' + b"0" * 10_000 + b"}",
    b'{"n": NaN}',
    b'{"n": -Infinity}',
    b'{"n": 1e999999}',
    b'{"a": 1, "a": 2}',
    b'{"a": "\\ud800"}',
    b'{"a": "\\u0000"}',
    b'{"a": "\xff"}',
    b"{",
    b"[]",
    b'"x"',
    b"null",
    b"{} {}",
]


@pytest.mark.parametrize("bomb", BOMBS, ids=range(len(BOMBS)))
def test_no_json_breaks_the_server(shop: Workshop, bomb: bytes) -> None:
    for method, path in (
        ("POST", f"{BASE}/create"),
        ("POST", f"{BASE}/templates"),
        ("POST", f"{BASE}/templates/validate"),
        ("PUT", f"{BASE}/{NOBODY}/plan"),
        ("POST", "/api/sign-in"),
    ):
        refused = shop.server.ask(method, path, bomb)
        assert (refused.status, refused.said["error"]) == (400, "ValidationError"), (path, refused.text)


def test_a_body_that_isnt_json_is_told_without_a_word_of_templates(shop: Workshop) -> None:
    refused = shop.server.ask("POST", f"{BASE}/create", b"nonsense")
    assert refused.status == 400
    assert "line 1, column 1: a body is one object in JSON" in refused.said["message"]
    assert "template" not in refused.said["message"]


IDS = [
    "..%2f..%2f.bashrc",
    "..%5c",
    "%2e%2e",
    "a%00b",
    "%2fetc%2fx",
    "con",
    "a%2f..%2f..%2fb",
    "x" * 5000,
    "%E2%85%A7",
]


@pytest.mark.parametrize("id", [*IDS, "last", "0", NOBODY, NOBODY.upper() + "Z"], ids=str.__len__)
def test_no_id_leads_anywhere_else(shop: Workshop, id: str) -> None:
    for method, path in (
        ("GET", f"{BASE}/templates/{id}"),
        ("PUT", f"{BASE}/templates/{id}?revision=x"),
        ("DELETE", f"{BASE}/templates/{id}"),
        ("GET", f"{BASE}/{id}/status"),
        ("DELETE", f"{BASE}/{id}"),
        ("POST", f"{BASE}/{id}/start"),
        ("GET", f"{BASE}/{NOBODY}/workers/{id}/transcript"),
    ):
        body = {"id": "x", "name": "x"} if method == "PUT" else None
        refused = shop.server.ask(method, path, body)
        assert 400 <= refused.status < 500, (path, refused.text)
    assert not (shop.desk.home.path / "runs" / "last").exists()


def test_a_delegate_makes_and_follows_runs_and_decides_nothing(shop: Workshop) -> None:
    server = shop.server
    made = server.ask("POST", f"{BASE}/create", shop.body(), token=server.delegate)
    assert made.status == 201
    id = made.said["orchestratorId"]
    assert server.ask("POST", f"{BASE}/{id}/start", token=server.delegate).status == 200
    server.wait_for(id, "orchestrator:waiting")
    for verb in ("confirm", "answer", "merge", "cancel", "resume"):
        assert server.ask("POST", f"{BASE}/{id}/{verb}", token=server.delegate).status == 403
    assert server.get(f"{BASE}/{id}")["orchestrator"]["status"] == "confirming"
    raised = server.ask("POST", f"{BASE}/create", shop.body(permissionMode="all"), token=server.delegate)
    assert raised.status == 403
    assert server.events(id)[0]["data"]["by"] == "delegate"
    server.post(f"{BASE}/{id}/cancel")


def test_signing_in_takes_the_link_once(shop: Workshop) -> None:
    server = shop.server
    link = server.post("/api/sign-in-links")["link"]
    page, _, code = link.partition("#")
    assert page == f"{server.url}/sign-in"
    shown = server.ask("GET", "/sign-in", token=None)
    assert shown.status == 200
    assert code not in shown.text
    assert server.ask("GET", "/sign-in.js", token=None).headers["content-type"].startswith("text/javascript")
    signed_in = server.ask("POST", "/api/sign-in", {"code": code}, token=None)
    cookie = signed_in.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    session = {"Cookie": cookie.partition(";")[0], "X-Bigtask-Key": signed_in.said["key"]}
    assert server.ask("GET", "/api/inbox", token=None, headers=session).status == 200
    assert server.ask("POST", "/api/sign-in", {"code": code}, token=None).status == 401
    assert server.ask("POST", "/api/sign-out", token=None, headers=session).status == 200
    assert server.ask("GET", "/api/inbox", token=None, headers=session).status == 401


def test_the_rest_answers(shop: Workshop) -> None:
    assert shop.server.get("/api/health")["status"] == "ok"
    assert "offline" in {agent["name"] for agent in shop.server.get("/api/agents")["agents"]}
    metrics = shop.server.ask("GET", "/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'bigtask_http_answers_total{status="200"}' in metrics.text
    lost = shop.server.ask("GET", "/api/nothing")
    assert (lost.status, lost.said["error"]) == (404, "NotFoundError")
    wrong = shop.server.ask("PUT", "/api/health", {})
    assert (wrong.status, wrong.said["error"]) == (405, "MethodNotAllowed")
    assert wrong.headers["allow"] == "GET"


def test_the_document_names_every_route_its_roles_and_its_errors(shop: Workshop) -> None:
    document = json.loads(shop.server.ask("GET", "/api/openapi.json").text)
    schemas = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert {"400", "401", "403", "429", "500"} <= set(operation["responses"]), (method, path)
            assert "422" not in operation["responses"]
            assert operation["description"], path
    refs = set(_refs(document))
    assert {ref.rpartition("/")[2] for ref in refs} <= set(schemas)


def _refs(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [ref for inner in value.values() for ref in _refs(inner)]
    return [ref for inner in value for ref in _refs(inner)] if isinstance(value, list) else []
