"""What a person reads at the end, and decides."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from server.conftest import BASE, Workshop

from .conftest import Sitting
from .test_hostile_words import ALL, SEEDS

LONG = "".join(f"line {number}\n" for number in range(700))


def mixed() -> dict[str, Any]:
    """A run of which one task is proved, one is only words, one fails, and the whole isn't right."""
    return {
        "tasks": [
            {"id": "left", "checks": [{"command": ["true"]}]},
            {"id": "right"},
            {"id": "bad"},
        ],
        "turns": [
            {
                "when": {"task": "left"},
                "steps": [
                    {"do": "usage", "input_tokens": 12000, "output_tokens": 3400, "cost_usd": 0.41},
                    {"do": "write", "path": "odd name \u00e9.txt", "content": LONG},
                    {"do": "write", "path": "a.txt", "content": "one\ntwo and a half\nthree\n"},
                    {"do": "answer", "data": {"status": "success", "summary": "Left is written."}},
                ],
            },
            {
                "when": {"task": "right"},
                "steps": [{"do": "answer", "data": {"status": "success", "summary": "Wrote all pages."}}],
            },
            {
                "when": {"task": "bad"},
                "steps": [{"do": "answer", "data": {"status": "failed", "error": "It isn't there."}}],
            },
            {
                "when": {"phase": "aggregation"},
                "steps": [{"do": "answer", "data": {"status": "success", "summary": "Two of three."}}],
            },
        ],
    }


@pytest.fixture(scope="module")
def mixed_run(shop: Workshop) -> str:
    return shop.done(mixed())


def test_the_ledger_comes_first_and_says_what_was_only_claimed(sitting: Sitting, mixed_run: str) -> None:
    page = sitting.page(f"#/runs/{mixed_run}/result")
    page.get_by_role("heading", name="What became of every task").wait_for()
    assert page.locator("h2").first.inner_text() == "What became of every task"
    assert page.locator(".entry.good b").all_inner_texts() == ["left"]
    assert page.locator(".entry.bad b").all_inner_texts() == ["bad"]
    doubtful = page.locator(".entry.doubt")
    assert 'says "Wrote all pages."; nothing in the diff shows it' in doubtful.inner_text()
    page.get_by_text("1 of 3 tasks not completed").wait_for()
    page.get_by_text("Two of three.").wait_for()
    page.get_by_role("row", name=re.compile(r"12,000 3,400 \$0.41")).wait_for()
    page.locator(".entry.good summary").first.press("Enter")
    page.get_by_role("link", name="the conversation").first.click()
    page.get_by_role("complementary", name="The task left").wait_for()


def test_the_change_is_shown_file_by_file_and_long_ones_as_far_as_one_wants(
    sitting: Sitting, mixed_run: str
) -> None:
    page = sitting.page(f"#/runs/{mixed_run}/result")
    file = page.locator(".file").filter(has_text="odd name é.txt")
    file.get_by_text("line 298", exact=False).wait_for()
    assert page.get_by_text("+line 699").count() == 0
    file.get_by_role("button", name="Show the other 401 lines").click()
    page.get_by_text("+line 699").wait_for()
    assert page.locator(".file").filter(has_text="a.txt").locator(".minus").last.inner_text() == "-two"
    page.get_by_role("combobox").select_option("left")
    page.locator(".file").nth(1).wait_for()
    assert page.locator(".file code").all_inner_texts() == ["a.txt", "odd name é.txt"]


def test_a_merge_says_what_it_will_do_is_done_and_taken_back(shop: Workshop, sitting: Sitting) -> None:
    run = shop.done()
    page = sitting.page(f"#/runs/{run}/result")
    page.get_by_text(
        re.compile(r"makes a (fast-forward of|merge of .* into) .*trunk.*: 3 files, \+3")
    ).wait_for()
    page.get_by_role("button", name="Merge", exact=True).click()
    page.get_by_text("You have the result.").wait_for()
    assert (shop.project.root / "both.txt").exists()
    page.get_by_role("button", name="Undo the merge").click()
    page.get_by_role("button", name="Merge", exact=True).wait_for()
    assert not (shop.project.root / "both.txt").exists()


def test_a_merge_that_cant_be_is_refused_with_the_server_s_sentence_and_the_files(
    shop: Workshop, sitting: Sitting
) -> None:
    run = shop.done()
    mine = shop.project.root / "left.txt"
    mine.write_text("mine\n")
    try:
        page = sitting.page(f"#/runs/{run}/result")
        said = shop.server.get(f"{BASE}/{run}/merge")
        assert said["inTheWay"] == ["left.txt"]
        page.get_by_role("alert").get_by_text(said["refused"]).wait_for()
        assert page.get_by_role("button", name="Merge", exact=True).is_disabled()
        assert page.locator(".taking .files").inner_text() == "left.txt"
        mine.unlink()
        page.get_by_role("button", name="Look again").click()
        page.get_by_text(re.compile("makes a ")).wait_for()
        assert page.get_by_role("button", name="Merge", exact=True).is_enabled()
    finally:
        mine.unlink(missing_ok=True)


def test_what_the_branch_became_meanwhile_is_told_by_the_one_who_merges(
    shop: Workshop, sitting: Sitting
) -> None:
    run = shop.done()
    page = sitting.page(f"#/runs/{run}/result")
    merge = page.get_by_role("button", name="Merge", exact=True)
    merge.wait_for()
    mine = shop.project.root / "left.txt"
    mine.write_text("mine\n")
    try:
        merge.click()
        page.locator(".notes .problem").wait_for()
        page.get_by_text("It can't be merged as things stand.").wait_for()
        assert mine.read_text() == "mine\n"
        sitting.refused(409)
    finally:
        mine.unlink()


@pytest.mark.parametrize(
    ("button", "end", "begin"),
    [("Markdown", "md", "# "), ("JSON", "json", "{"), ("HTML page", "html", "<!do")],
)
def test_it_is_exported_as_a_file(
    sitting: Sitting, mixed_run: str, button: str, end: str, begin: str
) -> None:
    page = sitting.page(f"#/runs/{mixed_run}/result")
    with page.expect_download() as waited:
        page.get_by_role("button", name=button).click()
    assert waited.value.suggested_filename == f"bigtask-{mixed_run[-6:]}.{end}"
    text = waited.value.path().read_text("utf-8")
    assert text.startswith(begin)
    if end == "json":
        assert json.loads(text)["run"]["id"] == mixed_run


def test_a_run_that_goes_on_has_a_result_so_far_and_no_merge(shop: Workshop, sitting: Sitting) -> None:
    run = shop.planned()
    page = sitting.page(f"#/runs/{run}/result")
    page.get_by_text("it can be merged when it has ended").wait_for()
    assert page.get_by_role("button", name="Merge", exact=True).count() == 0
    shop.server.post(f"{BASE}/{run}/confirm")
    page.get_by_text("Complete", exact=True).wait_for()
    page.get_by_role("button", name="Merge", exact=True).wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("slider").wait_for()
    page.keyboard.press("r")
    page.get_by_role("heading", name="Bill").wait_for()


def test_a_run_that_isnt_there_is_told(shop: Workshop, sitting: Sitting) -> None:
    page = sitting.page(f"#/runs/{'0' * 26}/result")
    page.get_by_role("alert").get_by_text("there is no run").wait_for()
    sitting.refused(404)


def test_hostile_words_stay_words_in_the_result(shop: Workshop, sitting: Sitting) -> None:
    names = ["<img src=x onerror=hit()>.txt", "a b/'\"><svg onload=hit()>.txt"]
    writes = [
        {"do": "write", "path": name.replace("/", "-"), "content": ALL.replace("\0", "")} for name in names
    ]
    script = {
        "tasks": [{"id": "one", "title": SEEDS[0]}, {"id": "two", "title": SEEDS[1]}],
        "turns": [
            {
                "when": {"task": "one"},
                "steps": [*writes, {"do": "answer", "data": {"status": "success", "summary": ALL}}],
            },
            {
                "when": {"task": "two"},
                "steps": [{"do": "answer", "data": {"status": "failed", "summary": ALL, "error": ALL}}],
            },
            {
                "when": {"phase": "aggregation"},
                "steps": [{"do": "answer", "data": {"status": "success", "summary": ALL}}],
            },
        ],
    }
    run = shop.done(script)
    page = sitting.page()
    page.add_init_script("window.hits = 0; window.hit = () => { window.hits += 1; };")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{sitting.url}/#/runs/{run}/result")
    page.reload()
    page.locator(".file").first.wait_for()
    for summary in page.locator("summary").all():
        summary.press("Enter")
    found = page.evaluate(
        """() => ({hits, strange: document.querySelectorAll(
          "main img, main iframe, main form, main svg, base, style, template, math, main script").length,
          links: [...document.links].filter((link) => !link.href.startsWith(location.origin)).length})"""
    )
    assert found == {"hits": 0, "strange": 0, "links": 0}
    assert [url for url in asked if "hit" in url or not url.startswith(sitting.url)] == []
