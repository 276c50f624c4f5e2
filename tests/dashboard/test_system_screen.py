"""What the machine has, and what is wrong with it."""

from __future__ import annotations

import json
import re
import time

from bigtask.core.gate import Gate
from bigtask.host.shared_slots import SharedSlots, clock_ms
from server.conftest import Workshop

from .conftest import Sitting
from .test_hostile_words import SEEDS


def test_the_agents_the_doctor_and_the_home_are_told(shop: Workshop, sitting: Sitting) -> None:
    shop.done()
    page = sitting.page("#/system")
    offline = page.locator(".agent-row").filter(has_text="offline")
    offline.get_by_text("usable", exact=True).wait_for()
    page.get_by_text(str(shop.desk.home.path)).first.wait_for()
    told = shop.server.get("/api/system")
    page.get_by_text(re.compile(rf"{len(told['findings'])} things looked at")).wait_for()
    page.get_by_role("checkbox", name="what is in order too").check()
    assert page.locator(".finding").count() == len(told["findings"])
    page.get_by_role("row", name=re.compile(r"^scripted \d+ 100 %")).wait_for()
    page.get_by_role("link", name="System").and_(page.locator("[aria-current=page]")).wait_for()


def test_one_that_isnt_installed_says_how_it_gets_here(shop: Workshop, sitting: Sitting) -> None:
    missing = next(one for one in shop.server.get("/api/agents")["agents"] if "npm install" in one["detail"])
    page = sitting.page("#/system")
    row = page.locator(".agent-row").filter(has=page.get_by_role("heading", name=missing["name"], exact=True))
    row.get_by_text(missing["detail"]).wait_for()
    row.get_by_text("not usable").wait_for()


def test_a_limit_is_told_with_the_time_at_which_it_ends(shop: Workshop, sitting: Sitting) -> None:
    account = "account of the tests"
    keeper = SharedSlots(shop.desk.home.slots)
    now = clock_ms()
    with keeper.changing(now) as shared:
        shared.gates[account] = Gate(kind="usage", until=now + 3_600_000, told=True)
    try:
        assert keeper.look(now).gates[account].until == now + 3_600_000
        with_limit = {
            "name": "limited",
            "usable": True,
            "detail": SEEDS[0],
            "account": account,
            "costsMoney": True,
            "canInterrupt": True,
            "canResume": True,
            "sessions": 2,
            "limit": {
                "kind": "usage",
                "until": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + 3600)),
                "msLeft": 3_600_000,
            },
        }
        page = sitting.page()
        answers = {"runs": 0, "byAgent": {}}
        body = {"success": True, "agents": [with_limit], "answers": answers, "timestamp": ""}
        page.route("**/api/agents", lambda route: route.fulfill(json=body))
        page.goto(f"{sitting.url}/#/system")
        row = page.locator(".agent-row")
        row.get_by_text(re.compile(r"usage limit: wakes in 1 h 0 min, at \d\d:\d\d")).wait_for()
        row.get_by_text("2 sessions at work").wait_for()
        row.get_by_text(SEEDS[0]).wait_for()
        assert row.locator("time").get_attribute("title")
        page.get_by_text("there are no answers to count").wait_for()
    finally:
        keeper.close()


def test_what_the_server_refuses_and_its_absence_are_told(sitting: Sitting) -> None:
    page = sitting.page()
    refusal = {"success": False, "error": "InternalError", "message": "The disk is away.", "details": {}}
    page.route("**/api/system", lambda route: route.fulfill(status=500, body=json.dumps(refusal)))
    page.route("**/api/agents", lambda route: route.abort())
    page.goto(f"{sitting.url}/#/system")
    page.get_by_role("alert").get_by_text("The disk is away.").wait_for()
    page.get_by_role("alert").get_by_text("The server doesn't answer").wait_for()
    page.unroute_all()
    page.get_by_role("button", name="Look again").click()
    page.get_by_text("things looked at").wait_for()
    sitting.troubles.clear()  # the browser itself complains of both
