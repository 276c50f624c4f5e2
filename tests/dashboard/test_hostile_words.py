"""What agents, templates and people wrote is text on the page, whatever it looks like."""

from __future__ import annotations

from server.conftest import Workshop

from .conftest import Sitting

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
        page.close()
    assert [url for url in asked if "hit" in url or not url.startswith(sitting.url)] == []
