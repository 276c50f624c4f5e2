"""What tells who somebody is, and what opens doors, doesn't leave with a run."""

from __future__ import annotations

import pytest

from bigtask.host.redaction import Redaction

HOME = "/home/ada.lovelace"
PROJECT = f"{HOME}/engines/difference"
ENV = {"HOME": HOME, "OPENAI_API_KEY": "plain-looking-value", "EDITOR": "vi-of-a-kind", "SHORT_TOKEN": "abc"}


def redaction(user: str = "lovelace") -> Redaction:
    places = {"home": HOME, "project": PROJECT, "bigtask": f"{HOME}/.local/share/bigtask", "none": "/"}
    return Redaction(places=places, user=user, environ=ENV)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"in {PROJECT}/src/a.py and {HOME}/notes", "in <project>/src/a.py and <home>/notes"),
        (f"{HOME}/.local/share/bigtask/runs/1", "<bigtask>/runs/1"),
        ("~/.agent/projects/-home-ada.lovelace-engines-difference/x", "~/.agent/projects/<project>/x"),
        ("/home/bob/x, /Users/carol/y", "<home>/x, <home>/y"),
        ("by lovelace; Lovelace, lovelaces", "by <user>; Lovelace, lovelaces"),
        ("write to ada@example.org, please", "write to <email>, please"),
        ("the key is plain-looking-value.", "the key is <secret>."),
        ("vi-of-a-kind and abc stay", "vi-of-a-kind and abc stay"),
        ("sk-ant-" + "a1B2" * 8, "<secret>"),
        ("x ghp_" + "a1B2" * 9 + " y", "x <secret> y"),
        ("github_pat_" + "a1B2_" * 9, "<secret>"),
        ("AKIA" + "ABCD1234" * 2, "<secret>"),
        ("xoxb-1234567890-1234567890-abcdef", "<secret>"),
        ("AIza" + "x" * 35, "<secret>"),
        ("eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.c2lnbmF0dXJl", "<secret>"),
        ("Authorization: Bearer abcdef.123456", "Authorization: Bearer <secret>"),
        ("https://ada:hunter22@example.org/x.git", "https://<secret>@example.org/x.git"),
        ("MY_DB_PASSWORD=hunter2hunter2 run", "MY_DB_PASSWORD=<secret> run"),
        ('{"api_key": "0123456789abcdef"}', '{"api_key": "<secret>"}'),
        (
            "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----\nb",
            "a\n<secret>\nb",
        ),
        ("cut: -----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", "cut: <secret>"),
        ("no secret: task-1 sk-1 a_token b@c password", "no secret: task-1 sk-1 a_token b@c password"),
    ],
)
def test_a_text_is_redacted(text: str, expected: str) -> None:
    found = redaction()
    assert found.text(text) == expected
    assert sum(found.found.values()) == expected.count("<")


def test_values_are_redacted_at_any_depth_and_stay_of_their_kind() -> None:
    found = redaction("Ada")
    value = {
        "by": "Ada",
        "agent": "Ada",
        "clientSecret": "whatever it is",
        "deep": [({"path": f"{PROJECT}/a"}, 3, 2.5, None, True)],
        f"{HOME}/k": "v",
    }
    assert found.value(value) == {
        "by": "<user>",
        "agent": "<user>",
        "clientSecret": "<secret>",
        "deep": [[{"path": "<project>/a"}, 3, 2.5, None, True]],
        "<home>/k": "v",
    }


@pytest.mark.parametrize("user", ["root", "test", "al", "completed", ""])
def test_a_name_that_is_everybodys_is_left_but_for_who_decided(user: str) -> None:
    found = redaction(user)
    words = f"the {user} cause is completed"
    assert found.text(words) == words
    assert found.value({"by": user or "x", "root": user}) == {"by": "<user>" if user else "x", "root": user}


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a.",
        "a@",
        "eyJ-",
        "sk-",
        "-----BEGIN PRIVATE KEY",
        "x://a:",
        "token=",
        "secret",
        "Bearer ",
        "/home/",
    ],
)
@pytest.mark.timeout(60)
def test_no_text_takes_long(piece: str) -> None:
    """A pattern that looks again at what it has seen would take minutes."""
    redaction().text(piece * (400_000 // len(piece)))
