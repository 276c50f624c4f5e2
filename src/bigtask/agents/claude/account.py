"""Who pays for Claude, and what of our environment Claude Code needs to reach that account.

A variable is only looked at for being set, a file only for being there; of a token nothing but a digest is
made, which tells accounts apart.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path

_TRUE = frozenset({"1", "true", "yes", "on"})
_CLOUDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "CLAUDE_CODE_USE_BEDROCK": (
        "Amazon Bedrock",
        (
            "ANTHROPIC_BEDROCK_BASE_URL",
            "AWS_ACCESS_KEY_ID",
            "AWS_BEARER_TOKEN_BEDROCK",
            "AWS_CONFIG_FILE",
            "AWS_PROFILE",
            "AWS_REGION",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_SHARED_CREDENTIALS_FILE",
        ),
    ),
    "CLAUDE_CODE_USE_VERTEX": (
        "Google Vertex AI",
        (
            "ANTHROPIC_VERTEX_BASE_URL",
            "ANTHROPIC_VERTEX_PROJECT_ID",
            "CLOUD_ML_REGION",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "GOOGLE_CLOUD_PROJECT",
        ),
    ),
    "CLAUDE_CODE_USE_FOUNDRY": (
        "Microsoft Foundry",
        ("ANTHROPIC_FOUNDRY_API_KEY", "ANTHROPIC_FOUNDRY_BASE_URL", "ANTHROPIC_FOUNDRY_RESOURCE"),
    ),
}
_TOKENS: Mapping[str, str] = {
    "ANTHROPIC_AUTH_TOKEN": "the gateway or account of ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_API_KEY": "the API account of ANTHROPIC_API_KEY, by use",
    "CLAUDE_CODE_OAUTH_TOKEN": "the subscription of CLAUDE_CODE_OAUTH_TOKEN",
}
"""In the order in which Claude Code prefers them."""
_WAYS = (
    "ANTHROPIC_BASE_URL",
    "CLAUDE_CONFIG_DIR",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)


def handed_on(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of ours that Claude Code gets: one account's and the way to it.

    An allow list. Of several tokens only the one that Claude Code would use anyway is handed on; a cloud's
    variables only where that cloud is chosen.
    """
    names = list(_WAYS)
    cloud = _cloud(environ)
    if cloud is not None:
        names += [cloud, *_CLOUDS[cloud][1]]
    elif (token := _token(environ)) is not None:
        names.append(token)
    return {name: environ[name] for name in names if environ.get(name)}


def pinned(handed_on: Mapping[str, str]) -> dict[str, str]:
    """What a project's settings may not change: which account pays, and the way there.

    For the command line, which others can read: nothing in it is secret. So the token in use isn't pinned,
    nor an address with a password.
    """
    names = (*_WAYS, *_CLOUDS, *_TOKENS)
    values = {name: handed_on.get(name, "") for name in names}
    return {name: value for name, value in values.items() if not value or _is_open(name, value)}


def _is_open(name: str, value: str) -> bool:
    return name not in _TOKENS and "@" not in value


def payer(environ: Mapping[str, str], *, home: Path, platform: str = sys.platform) -> str | None:
    """Words for the account that pays, or None where nobody has signed in.

    On macOS the sign-in is in the keychain, which isn't looked at: there the settings file of Claude Code
    says only that it has been used.
    """
    cloud = _cloud(environ)
    if cloud is not None:
        return f"{_CLOUDS[cloud][0]}, by use"
    token = _token(environ)
    if token is not None:
        return _TOKENS[token]
    chosen = environ.get("CLAUDE_CONFIG_DIR")
    folder = Path(chosen) if chosen else home / ".claude"
    if (folder / ".credentials.json").is_file():
        return "the account that Claude Code is signed in to"
    settings = folder / ".claude.json" if chosen else home / ".claude.json"
    if platform == "darwin" and settings.is_file():
        return "the account that Claude Code is signed in to, if it is"
    return None


def by_subscription(environ: Mapping[str, str]) -> bool:
    """Whether the account pays by the month, as those of people who have signed in do."""
    if _cloud(environ) is not None:
        return False
    return _token(environ) in (None, "CLAUDE_CODE_OAUTH_TOKEN")


def limits_shared_by(environ: Mapping[str, str], *, home: Path) -> str:
    """A key of the account that sessions with this environment use. Two environments have the same key when
    the limits of one account concern both: the same token or sign-in, over the same provider."""
    cloud = _cloud(environ)
    if cloud is not None:
        told = [environ.get(name, "") for name in (cloud, *_CLOUDS[cloud][1])]
    elif (token := _token(environ)) is not None:
        told = [token, environ[token]]
    else:
        told = [environ.get("CLAUDE_CONFIG_DIR") or str(home / ".claude")]
    parts = [*told, environ.get("ANTHROPIC_BASE_URL", "")]
    digest = hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()
    return f"claude-{digest[:16]}"


def _cloud(environ: Mapping[str, str]) -> str | None:
    return next((name for name in _CLOUDS if environ.get(name, "").strip().lower() in _TRUE), None)


def _token(environ: Mapping[str, str]) -> str | None:
    return next((name for name in _TOKENS if environ.get(name)), None)
