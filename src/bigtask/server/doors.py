"""By which names the server may be spoken to. A page that reaches it by another one was led here."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from bigtask.errors import InvalidInput

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Doors:
    """`hosts` are whole Host headers, `origins` whole Origin headers, both in lower case; `url` is what a
    person opens, `local` the same without a proxy, both without a slash at their ends."""

    url: str
    local: str
    hosts: frozenset[str]
    origins: frozenset[str]

    @property
    def encrypted(self) -> bool:
        return self.url.startswith("https:")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def doors(host: str, port: int, *, tls: bool = False, proxy: str | None = None) -> Doors:
    """`host` and `port` are what the server listens at, `proxy` the address (`https://NAME`) by which a
    proxy in front of it is reached. Raises InvalidInput for one that can't be."""
    scheme = "https" if tls else "http"
    shown = f"[{host}]" if ":" in host and not host.startswith("[") else host.lower()
    names = [shown] if not is_loopback(host) else [shown, *(name for name in _LOOPBACK if name != shown)]
    hosts = {spelling for name in names for spelling in _spellings(scheme, name, port)}
    origins = {f"{scheme}://{spelling}" for spelling in hosts}
    url = local = f"{scheme}://{_spellings(scheme, shown, port)[-1]}"
    if proxy is not None:
        outer, name, outer_port = _proxy(proxy)
        spellings = _spellings(outer, name, outer_port)
        hosts.update(spellings)
        origins.update(f"{outer}://{spelling}" for spelling in spellings)
        url = f"{outer}://{spellings[-1]}"
    return Doors(url=url, local=local, hosts=frozenset(hosts), origins=frozenset(origins))


def _spellings(scheme: str, name: str, port: int) -> list[str]:
    """The port of the scheme may be left out; browsers do."""
    whole = f"{name}:{port}"
    return [whole, name] if port == _DEFAULT_PORTS[scheme] else [whole]


def _proxy(given: str) -> tuple[str, str, int]:
    example = "give it as https://NAME or https://NAME:PORT"
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError:
        raise InvalidInput(f"{given!r} can't be the address of a proxy: {example}") from None
    plain = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username)
    if parts.scheme != "https" or not parts.hostname or not plain:
        raise InvalidInput(f"{given!r} can't be the address of a proxy: {example}")
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return "https", name, port or 443
