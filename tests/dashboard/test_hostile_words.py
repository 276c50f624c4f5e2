"""What agents, templates and people wrote is text on the page, whatever it looks like."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from server.conftest import Workshop

from .conftest import Sitting

if TYPE_CHECKING:
    from playwright.sync_api import Page

SEEDS = (
    "<img src=x onerror=hit()>",
    "<script>hit()</script>",
    "<svg onload=hit()>",
    "'\"><iframe srcdoc='<script>parent.hit()</script>'>",
    "javascript:hit()",
    "${hit()}",
    "{{constructor.constructor('hit()')()}}",
    "<style>*{background:url(/hit)}</style>",
    "<a href=javascript:hit()>click</a>",
    "<form action=/hit><input name=x>",
    "<base href=https://hit.invalid/>",
    "<meta http-equiv=refresh content='0;url=/hit'>",
    "<!--<b>",
    "]]><b>",
    "&lt;b&gt;&#60;b&#62;",
    "\u202eesrever <b>",
    "\u0000<b>\u0007",
    "<b\u200b>",
    "<math><mtext></p><b>",
    "<template><b>",
)
STRINGS = [f"{seed} {number}" for number in range(10) for seed in SEEDS]


ALL = "\n".join(STRINGS)


def hostile() -> dict[str, object]:
    """All of them in every long field; each kind as the title of a task that doesn't begin."""
    titled = [{"id": f"t{n}", "title": seed, "dependencies": ["left"]} for n, seed in enumerate(SEEDS)]
    return {
        "tasks": [
            {"id": "left", "title": SEEDS[0], "description": ALL},
            {"id": "right", "title": SEEDS[1], "description": ALL},
            *titled,
        ],
        "turns": [
            {
                "when": {"task": "left"},
                "steps": [
                    {"do": "say", "text": ALL},
                    {"do": "progress", "percent": 10, "action": SEEDS[2]},
                    {"do": "ask", "question": ALL},
                    {"do": "answer", "data": {"status": "success", "summary": ALL}},
                ],
            },
            {
                "when": {"task": "right"},
                "steps": [{"do": "answer", "data": {"status": "failed", "summary": ALL, "error": ALL}}],
            },
        ],
    }


def harmless(page: Page, at: str) -> None:
    found = page.evaluate(
        """() => ({
          hits: window.hits,
          strange: document.querySelectorAll(
            "iframe, img:not([src='/dashboard/icon.svg']), form[action], base, meta[http-equiv], " +
            "style, template, math"
          ).length,
          scripts: document.querySelectorAll("script").length,
          links: [...document.links].filter((link) => !link.href.startsWith(location.origin)).length,
        })"""
    )
    assert found == {"hits": 0, "strange": 0, "scripts": 1, "links": 0}, at


def test_nothing_that_was_written_becomes_an_element_a_request_or_a_script(
    shop: Workshop, sitting: Sitting
) -> None:
    body = {**shop.body(hostile()), "message": ALL.replace("\x00", "")}
    id = shop.server.post("/api/orchestrator/create", body)["orchestratorId"]
    shop.server.post(f"/api/orchestrator/{id}/start")
    shop.server.wait_for(id, "orchestrator:waiting")
    shop.server.post(f"/api/orchestrator/{id}/confirm")
    shop.server.wait_for(id, "worker:waiting")
    shop.server.wait_for(id, "worker:failed")
    asked: list[str] = []
    for at in ("", "#/inbox", f"#/runs/{id}"):
        page = sitting.page()
        page.on("request", lambda request: asked.append(request.url))
        page.add_init_script("window.hits = 0; window.hit = () => { window.hits += 1; };")
        page.goto(f"{sitting.url}/{at}")
        page.reload()
        if at.startswith("#/runs/"):
            page.locator(".bar").first.wait_for()
            page.locator(".bar.failed").first.press("Enter")
            for tab in ("Conversation", "attempt", "Task"):
                page.get_by_role("tab", name=tab).click()
        else:
            page.locator(".runs, .card").first.wait_for()
        harmless(page, at)
        page.close()
    assert [url for url in asked if "hit" in url or not url.startswith(sitting.url)] == []


def seen(at: str) -> str:
    """Without what no text of a template or plan may hold."""
    return at.replace("\x00", "").replace("\x07", "")


def test_nor_does_what_was_written_where_runs_plans_and_templates_are_made(
    shop: Workshop, sitting: Sitting
) -> None:
    said, all_said = [seen(seed) for seed in SEEDS], seen(ALL)
    template = {
        "id": "hostile",
        "name": said[0],
        "description": all_said,
        "icon": said[2],
        "tags": said,
        "extends": "_default",
        "variables": {f"V{number}": each for number, each in enumerate(said)},
        "prompts": {"worker": {"user": f"{all_said} {{RESPONSE_FORMAT}}"}},
    }
    shop.server.post("/api/orchestrator/templates", template)
    (shop.desk.home.templates / "torn.json").write_text(json.dumps({"id": said[1], "name": said, ALL: 1}))
    id = shop.planned({"tasks": [{"id": "left"}, {"id": "right"}]})
    fields = {
        "title": said[0],
        "description": all_said,
        "scope": said,
        "model": said[1],
        "checks": [{"claim": all_said}, {"command": said}],
    }
    edits = [{"op": "set", "id": "left", "fields": {**fields, "scope": ["<b>", "src/*"]}}]
    shop.server.ask("PUT", f"/api/orchestrator/{id}/plan", {"revision": 1, "edits": edits})
    asked: list[str] = []
    for at, waited, clicked in (
        ("#/new?template=hostile", "#var-V3", ("text=Start the run",)),
        (f"#/runs/{id}/plan", ".task", (".task .line >> nth=0",)),
        ("#/templates", ".template-row", ()),
        ("#/templates/hostile", ".beside .fine", ("text=Own and inherited", "text=Prompts")),
        ("#/templates/torn", ".complaint", ()),
    ):
        page = sitting.page()
        page.on("request", lambda request: asked.append(request.url))
        page.add_init_script("window.hits = 0; window.hit = () => { window.hits += 1; };")
        page.goto(f"{sitting.url}/{at}")
        page.reload()
        page.locator(waited).first.wait_for()
        harmless(page, at)
        for click in clicked:
            page.locator(click).first.click()
            harmless(page, at)
        if at.startswith("#/runs/"):
            assert page.get_by_label("What the worker is told").input_value() == all_said
        page.close()
    (shop.desk.home.templates / "torn.json").unlink()
    assert [url for url in asked if "hit(" in url or not url.startswith((sitting.url, "blob:"))] == []
