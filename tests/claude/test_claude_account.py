from __future__ import annotations

from pathlib import Path

import pytest

from bigtask.agents.claude.account import handed_on, payer

LINUX, MAC = "linux", "darwin"


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"ANTHROPIC_API_KEY": "k"}, "the API account of ANTHROPIC_API_KEY, by use"),
        ({"CLAUDE_CODE_OAUTH_TOKEN": "t"}, "the subscription of CLAUDE_CODE_OAUTH_TOKEN"),
        (
            {"ANTHROPIC_AUTH_TOKEN": "t", "ANTHROPIC_API_KEY": "k"},
            "the gateway or account of ANTHROPIC_AUTH_TOKEN",
        ),
        ({"CLAUDE_CODE_USE_BEDROCK": "1", "ANTHROPIC_API_KEY": "k"}, "Amazon Bedrock, by use"),
        ({"CLAUDE_CODE_USE_BEDROCK": "0", "CLAUDE_CODE_USE_VERTEX": "true"}, "Google Vertex AI, by use"),
        ({"ANTHROPIC_API_KEY": ""}, None),
        ({}, None),
    ],
)
def test_the_account_that_pays_is_named(environ: dict[str, str], words: str | None, tmp_path: Path) -> None:
    assert payer(environ, home=tmp_path, platform=LINUX) == words


def test_a_sign_in_is_seen_by_its_file_alone(tmp_path: Path) -> None:
    (tmp_path / ".claude").mkdir()
    secret = tmp_path / ".claude" / ".credentials.json"
    secret.write_text("not even JSON")
    signed_in = "the account that Claude Code is signed in to"
    assert payer({}, home=tmp_path, platform=LINUX) == signed_in
    elsewhere = {"CLAUDE_CONFIG_DIR": str(tmp_path / "other")}
    assert payer(elsewhere, home=tmp_path, platform=LINUX) is None


def test_on_macos_a_sign_in_can_only_be_supposed(tmp_path: Path) -> None:
    assert payer({}, home=tmp_path, platform=MAC) is None
    (tmp_path / ".claude.json").write_text("{}")
    found = payer({}, home=tmp_path, platform=MAC)
    assert found is not None
    assert found.endswith("if it is")
    assert payer({}, home=tmp_path, platform=LINUX) is None


def test_of_our_environment_only_one_account_and_the_way_to_it_is_handed_on() -> None:
    environ = {
        "ANTHROPIC_API_KEY": "k",
        "ANTHROPIC_BASE_URL": "https://gateway.example",
        "ANTHROPIC_MODEL": "somebody's choice",
        "AWS_SECRET_ACCESS_KEY": "of something else",
        "CLAUDECODE": "1",
        "CLAUDE_CODE_OAUTH_TOKEN": "t",
        "GITHUB_TOKEN": "g",
        "HTTPS_PROXY": "http://proxy.example",
        "PATH": "/bin",
    }
    assert handed_on(environ) == {
        "ANTHROPIC_API_KEY": "k",
        "ANTHROPIC_BASE_URL": "https://gateway.example",
        "HTTPS_PROXY": "http://proxy.example",
    }


def test_a_clouds_variables_are_handed_on_where_it_is_chosen_and_no_token_with_them() -> None:
    environ = {"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_PROFILE": "work", "ANTHROPIC_API_KEY": "k"}
    assert handed_on(environ) == {"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_PROFILE": "work"}
