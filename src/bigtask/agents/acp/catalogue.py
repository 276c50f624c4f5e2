"""The agents of the protocol that bigtask knows: one TOML file each, in the folder `known`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from msgspec.structs import replace

from bigtask.configuration.agent_definitions import AcpDefinition, definition

_WAYS = (
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
    "no_proxy",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
)
"""Variables without which an agent finds no way to its provider on many machines: all of them get these."""


@cache
def known() -> Mapping[str, AcpDefinition]:
    """The definitions that ship with bigtask, by the agents' names."""
    found = {}
    for file in sorted(files("bigtask.agents.acp").joinpath("known").iterdir(), key=lambda file: file.name):
        name = file.name.removesuffix(".toml")
        made = definition(name, {"kind": "acp", **tomllib.loads(file.read_text(encoding="utf-8"))})
        assert isinstance(made, AcpDefinition)
        found[name] = replace(made, env=(*made.env, *_WAYS))
    return found
