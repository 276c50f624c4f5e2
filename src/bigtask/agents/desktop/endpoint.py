"""Where the application listens for debuggers, and which of its pages is the one to talk to."""

from __future__ import annotations

import http.client
import ipaddress
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from bigtask.errors import AgentUnavailable, InvalidInput

DEFAULT = "http://127.0.0.1:9222"
OTHER_WAYS = "use the agent claude or claude-acp instead"
_CLOSED = (
    "nothing answers at {url}: open Claude Desktop with remote debugging there, if your version still allows "
    f"that. Recent versions refuse the flag on purpose: then {OTHER_WAYS}"
)
_TIMEOUT_S = 2.0
_LONGEST_LIST = 4 * 2**20
_ID = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_SITE = "claude.ai"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    host: str
    port: int

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.authority}"


@dataclass(frozen=True, kw_only=True)
class Target:
    """A page. `socket` is where its debugger is reached, on the endpoint and nowhere else."""

    url: str
    socket: str


def endpoint_of(text: str, *, elsewhere: bool = False) -> Endpoint:
    """From `http://HOST:PORT`. Raises InvalidInput, also for another machine, unless `elsewhere` is allowed:
    whoever reaches such a port can do anything in the application, and what is said goes there unencrypted.
    """
    wrong = f"desktopEndpoint must be http://HOST:PORT, like {DEFAULT}, not {text[:80]!r}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise InvalidInput(wrong) from None
    bare = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username is not None)
    if parts.scheme != "http" or not parts.hostname or not port or not bare:
        raise InvalidInput(wrong)
    if not elsewhere and not _is_here(parts.hostname):
        raise InvalidInput(
            f"desktopEndpoint {text[:80]} isn't on this machine: whoever can reach a debugging port can do "
            "anything in the application. Take 127.0.0.1, or set desktopElsewhere = true if you mean it"
        )
    return Endpoint(host=parts.hostname, port=port)


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def targets(endpoint: Endpoint) -> tuple[Target, ...]:
    """The pages of claude.ai that are open there. Blocks for some seconds at most.

    Raises AgentUnavailable, which says what is there instead and what to do.
    """
    listed = [each for each in _listing(endpoint) if isinstance(each, dict)]
    pages = [page for each in listed if (page := _page(endpoint, each)) is not None]
    if pages:
        return tuple(pages)
    if listed and all(each.get("type") == "node" for each in listed):
        raise AgentUnavailable(
            f"what answers at {endpoint.url} is the debugger of a Node program, not of the application's "
            f"window: {OTHER_WAYS}"
        )
    raise AgentUnavailable(
        f"no page of {_SITE} is open in what answers at {endpoint.url}: open the window of Claude Desktop, "
        "or set desktopEndpoint to where it listens"
    )


def _listing(endpoint: Endpoint) -> list[Any]:
    # Not urllib, which would ask the person's proxy for it.
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=_TIMEOUT_S)
    stranger = AgentUnavailable(
        f"what answers at {endpoint.url} isn't the debugging port of Claude Desktop: set desktopEndpoint to "
        f"where it listens, or {OTHER_WAYS}"
    )
    try:
        connection.request("GET", "/json/list")
        with connection.getresponse() as response:
            body = response.read(_LONGEST_LIST)
        found = msgspec.json.decode(body) if response.status == 200 else None
    except ConnectionRefusedError:
        raise AgentUnavailable(_CLOSED.format(url=endpoint.url)) from None
    except TimeoutError:
        raise AgentUnavailable(
            f"{endpoint.url} takes connections and doesn't answer within {_TIMEOUT_S:g} s: restart what "
            "listens there, or set desktopEndpoint to another address"
        ) from None
    except (http.client.HTTPException, msgspec.DecodeError, RecursionError):
        raise stranger from None
    except OSError as error:
        said = error.strerror or type(error).__name__
        raise AgentUnavailable(f"{endpoint.url} can't be reached: {said}; check desktopEndpoint") from None
    finally:
        connection.close()
    if not isinstance(found, list):
        raise stranger
    return found


def _page(endpoint: Endpoint, listed: dict[str, Any]) -> Target | None:
    id, url = listed.get("id"), listed.get("url")
    if listed.get("type") != "page" or not isinstance(id, str) or not isinstance(url, str):
        return None
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return None
    if host != _SITE and not host.endswith("." + _SITE):
        return None
    # Its own word for the address isn't taken: it could name any other.
    return (
        Target(url=url, socket=f"ws://{endpoint.authority}/devtools/page/{id}") if _ID.fullmatch(id) else None
    )
