"""What counts as a secret, what doesn't, and that no cut hides one."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from urllib.parse import quote

import pytest

import bigtask
from bigtask.core.observations import Failed
from bigtask.core.states import TaskState
from bigtask.core.values import Plan, Task
from bigtask.secrecy import Known, Secrecy, Stream, of_environment

KNOWN = "Tr0ub4dor&3/is=mine"
SECRECY = Secrecy([Known(KNOWN, "value of MY_KEY")])
KEY = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    + "MIIEpAIBAAKCAQEA7bq0\n" * 12
    + "Zm9v\n-----END RSA PRIVATE KEY-----"
)


def made(*parts: str) -> str:
    """A made-up key whose text doesn't stand in this file: scanners of repositories would object."""
    return "".join(parts)


SHAPES = {
    "Anthropic key": made("sk-ant-", "api03-", "Zx9" * 12),
    "OpenAI key": made("sk-", "proj-", "a1B2" * 8),
    "Google key": made("AIza", "SyD3" * 8, "abc"),
    "AWS key": made("AKIA", "Q7W2" * 4),
    "GitHub token": made("ghp_", "a1B2c3" * 6),
    "GitLab token": made("glpat-", "a1B2c3" * 4),
    "Slack token": made("xoxb-", "12345-" * 4),
    "Stripe key": made("sk_live_", "a1B2c3" * 4),
    "registry token": made("npm_", "a1B2c3" * 6),
    "xAI or Groq key": made("gsk_", "a1B2c3" * 6),
    "JWT": made("eyJ", "hbGciOiJIUzI1NiJ9", ".eyJ", "zdWIiOiIxMjM0In0", ".c2lnbmF0dXJl"),
    "private key": KEY,
}


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize(
    "around", [("", ""), ("see ", " there"), ('{"a": "', '"}'), ("x=", ";"), ("(", ").")]
)
def test_a_shape_is_taken_out_and_named(kind: str, around: tuple[str, str]) -> None:
    before, after = around
    assert SECRECY.text(before + SHAPES[kind] + after) == f"{before}[redacted: {kind}]{after}"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://ada:hunter2hunter@host/x", "https://ada:[redacted: password in an address]@host/x"),
        ("redis://:hunter2@host", "redis://:[redacted: password in an address]@host"),
        ("Authorization: Bearer abc123def456ghi789", "Authorization: Bearer [redacted: bearer token]"),
        ("authorization: basic YWRhOmh1bnRlcjIyMg==", "authorization: basic [redacted: bearer token]"),
        ("DB_PASSWORD=hunter2-and-more\nA=b", "DB_PASSWORD=[redacted: value of a variable]\nA=b"),
        ("PGPASSWORD=correct-horse\nA=b", "PGPASSWORD=[redacted: value of a variable]\nA=b"),
        ('"API_KEY": "abcd1234efgh"', '"API_KEY": "[redacted: value of a variable]"'),
        (
            "aws_secret_access_key = wJalr/XUtn+FEMI7",
            "aws_secret_access_key = [redacted: value of a variable]",
        ),
        (json.dumps({"k": KEY}), '{"k": "[redacted: private key]"}'),
        (KEY.partition("\n")[2] + "\nmore", "[redacted: private key]\nmore"),
        (KEY.rpartition("\n")[0], "[redacted: private key]"),
    ],
)
def test_what_stands_beside_a_secret_stays(text: str, clean: str) -> None:
    assert SECRECY.text(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "risk-averse-estimators-2024 and sk-estimator-doc-link and task-12345678901234567890",
        "https://host:8080/a@b https://${USER}:${PASSWORD}@host https://user:<password>@host",
        "the bearer of authentication-tokens, a basic misunderstanding-of-things",
        'API_KEY = os.environ["API_KEY"]; TOKEN = get_token(); SECRET_KEY = settings.SECRET_KEY()',
        "MONKEY=12 KEYBOARD=abcdefgh TOKENIZER=abcdefghijkl",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "a sha: 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
        "eyJust.kidding.here AKIAshort ghp_short",
    ],
)
def test_what_only_resembles_a_secret_stays(text: str) -> None:
    assert SECRECY.text(text) == text


@pytest.mark.parametrize(
    "form",
    [
        KNOWN,
        quote(KNOWN, safe=""),
        json.dumps(KNOWN)[1:-1],
        *(base64.b64encode(b"x" * n + KNOWN.encode() + b"more").decode() for n in range(6)),
        base64.urlsafe_b64encode(KNOWN.encode()).decode(),
    ],
)
def test_a_known_secret_is_found_in_every_dress(form: str) -> None:
    assert "[redacted: value of MY_KEY]" in SECRECY.text(f"a={form}")


def test_no_cut_hides_a_secret() -> None:
    """Two reads, cut at each character; and one character at a time."""
    secrets = (*SHAPES.values(), KNOWN, "DB_PASSWORD = hunter2-and-more", "Bearer abc123def456ghi789")
    for secret in secrets:
        text = f"Look: {secret} is\nwhat I found"
        whole = SECRECY.text(text)
        assert whole != text
        for cut in range(len(text) + 1):
            stream = Stream(SECRECY)
            assert stream.feed(text[:cut]) + stream.feed(text[cut:]) + stream.end() == whole
        stream = Stream(SECRECY)
        assert "".join(map(stream.feed, text)) + stream.end() == whole


def test_a_known_secret_of_several_words_is_found_in_pieces() -> None:
    secrecy = Secrecy([Known("correct horse battery staple", "passphrase")])
    stream = Stream(secrecy)
    said = "".join(map(stream.feed, "so: correct horse battery staple, and no more words")) + stream.end()
    assert said == "so: [redacted: passphrase], and no more words"


def test_a_stream_holds_little_back() -> None:
    stream = Stream(SECRECY)
    given = kept = 0
    for _ in range(200):
        given += 1_000
        kept += len(stream.feed("x" * 1_000))
        assert given - kept < 40_000
    assert kept + len(stream.end()) == given


def test_a_secret_in_a_line_without_end_is_found() -> None:
    secret = SHAPES["GitHub token"]
    stream = Stream(SECRECY)
    text = "".join(("." * 30_000, secret, ";" * 30_000))
    pieces = [text[at : at + 777] for at in range(0, len(text), 777)]
    said = "".join(map(stream.feed, pieces)) + stream.end()
    assert said == text.replace(secret, "[redacted: GitHub token]")


def test_only_what_a_variables_name_calls_secret_is_known() -> None:
    environ = {
        "ANTHROPIC_API_KEY": "made-up-key",
        "MY_TOKEN": "development",
        "LONG_TOKEN": "allofitlettersbutlong",
        "GOOGLE_APPLICATION_CREDENTIALS": "/home/ada/google.json",
        "SHORT_KEY": "abc",
        "PATH": "/usr/bin:/bin",
        "MONKEY": "12345678901234567890",
        "HTTPS_PROXY": "http://ada:hunter2hunter@proxy:3128",
        "HTTP_PROXY": "http://proxy:3128",
        "ODD": "http://[",
    }
    assert of_environment(environ) == (
        Known("made-up-key", "value of ANTHROPIC_API_KEY"),
        Known("allofitlettersbutlong", "value of LONG_TOKEN"),
        Known("hunter2hunter", "password in HTTPS_PROXY"),
    )


def test_values_are_cleaned_all_over_and_else_left_alone() -> None:
    secret = SHAPES["AWS key"]
    seen = Failed(task_id="a", attempt=1, reason=f"it said {secret}", tools={f"x {secret}": 1})
    clean = SECRECY.value(seen)
    assert clean.reason == "it said [redacted: AWS key]"
    assert clean.tools == {"x [redacted: AWS key]": 1}
    plan = Plan(revision=1, tasks=(Task(id="a", title="t", scope=(secret,)), Task(id="b", title="u")))
    cleaned = SECRECY.value(plan)
    assert cleaned.tasks[0].scope == ("[redacted: AWS key]",)
    assert cleaned.tasks[1] is plan.tasks[1]
    assert SECRECY.value(plan.tasks[1]) is plan.tasks[1]
    nested = {"a": [1, None, TaskState.READY, secret], "b": (2.5,)}
    assert SECRECY.value(nested) == {"a": [1, None, TaskState.READY, "[redacted: AWS key]"], "b": (2.5,)}
    assert SECRECY.kinds((seen, nested)) == ("AWS key",)


def test_what_is_redacted_stays_as_it_is() -> None:
    for text in (*SHAPES.values(), f"DB_PASSWORD={KNOWN}", "DB_PASSWORD = hunter2-and-more"):
        clean = SECRECY.text(text)
        assert SECRECY.text(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        "eyJ" + "a" * 500_000,
        "-----BEGIN PRIVATE KEY-----\n" * 20_000,
        ("A" * 64 + "\n") * 8_000 + "-----END PRIVATE KEY-----",
        "-----END PRIVATE KEY-----\n" * 20_000,
        "https://" + "a:" * 250_000,
        "KEY" * 200_000,
        "Bearer " * 80_000,
        "sk-" * 200_000,
        "KEY= " * 100_000,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    """Twice the text takes about twice the time: what grows with its square would take minutes here."""
    begun = time.process_time()
    SECRECY.text(text)
    assert time.process_time() - begun < 20


def test_source_code_is_left_as_it_is() -> None:
    """All of this package: at most one false find in ten thousand lines."""
    found = lines = 0
    for file in Path(bigtask.__file__).parent.rglob("*.py"):
        text = file.read_text()
        lines += text.count("\n")
        found += len(SECRECY.found(text))
    assert found <= lines / 10_000
