"""Serving: from the lock to the last connection."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from bigtask.agents.table import AgentTable
from bigtask.errors import InvalidInput
from bigtask.host.home import Home
from bigtask.host.nesting import TOKEN, URL
from bigtask.host.run_list import unattended
from bigtask.module import OrchestratorModule
from bigtask.server.application import api, guarded
from bigtask.server.credentials import Credentials, folder_of
from bigtask.server.doors import doors, is_loopback
from bigtask.server.entrance import link_to
from bigtask.server.gathering import GatheredSocket
from bigtask.server.leader import proclaim
from bigtask.server.once import Once
from bigtask.server.parts import Gate, Parts
from bigtask.server.sign_in import Failures, SignIns
from bigtask.server.system_events import SystemEvents
from bigtask.server.traffic import Traffic

if TYPE_CHECKING:
    from bigtask.mcp.endpoint import Endpoint

PORT = 7717
WHO = "bigtask serve"

_LAST_ANSWERS_S = 3
"""So long connections may take to end when the server does."""
_MESSAGE_LIMIT = 1024 * 1024
_KEPT_S = 75
_BACKLOG = 128


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where to listen. Raises InvalidInput where that would let others in without encryption."""

    host: str = "127.0.0.1"
    port: int = PORT
    """0 chooses a free one."""
    allow_remote: bool = False
    certificate: Path | None = None
    key: Path | None = None
    proxy: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise InvalidInput("TLS needs both: --tls-cert FILE and --tls-key FILE")
        if is_loopback(self.host):
            return
        if not self.allow_remote:
            raise InvalidInput(
                f"{self.host} can be reached from other machines, and whoever has the token can run programs "
                "here: add --allow-remote if you want that, with --tls-cert and --tls-key, or with --proxy"
            )
        if self.certificate is None and self.proxy is None:
            raise InvalidInput(
                "other machines must not be answered without encryption: give --tls-cert FILE and --tls-key "
                "FILE, or --proxy https://NAME, by which a proxy that encrypts is reached"
            )


@dataclass(frozen=True, kw_only=True)
class Welcome:
    """What the person at the terminal is told. `link` signs a browser in, once."""

    url: str
    link: str
    token_file: Path
    delegate_file: Path
    unattended: int
    """Runs that have begun and that nobody carries out."""


async def serve(
    home: Home,
    address: Address,
    *,
    who: str,
    agents: AgentTable,
    environ: Mapping[str, str],
    welcome: Callable[[Welcome], object],
    beside: Callable[[OrchestratorModule], Coroutine[Any, Any, None]] | None = None,
) -> None:
    """Until SIGINT, SIGTERM or SIGHUP; then every run is let go of, and whoever takes one up goes on with it.

    `beside` is carried out meanwhile, and cancelled when the server ends; what it raises ends the server.
    Whoever calls it leads the home (`leader.leading`). Raises InvalidInput for an address or a certificate
    that can't be used.
    """

    def handed(run_id: str, task_id: str, number: int) -> Mapping[str, str]:
        return {URL: found.url, TOKEN: credentials.of_attempt(run_id, task_id, number)}

    module = OrchestratorModule(
        home=home.path,
        agents=agents,
        environ=environ,
        who=WHO,
        closed="the server is ending: ask again when it has started anew",
        handed=handed,
    )
    folder = folder_of(home)
    credentials = Credentials(folder, who=who, is_live=module.custody.is_live)
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_listening(address))
        port = listener.getsockname()[1]
        found = doors(address.host, port, tls=address.certificate is not None, proxy=address.proxy)
        gate = Gate(sign_ins=SignIns(folder / "sign-ins"), failures=Failures(), doors=found)
        app = api(_parts(module, folder), gate)
        endpoint = _mcp(module)
        if endpoint is not None:
            app.router.routes.append(endpoint.route)
        server = _Server(_config(address, guarded(app, credentials)), module)
        await module.initialize()
        left = await unattended(home, module.custody)
        proclaim(folder, found.url, local=found.local, certificate=_digest(address.certificate))
        if endpoint is not None:
            await stack.enter_async_context(endpoint.running())
        stack.enter_context(_ended_by_signals(server))
        welcome(_welcome(gate, credentials, left))
        await stack.enter_async_context(_beside(beside, module, server))
        await server.serve([listener])


def _parts(module: OrchestratorModule, folder: Path) -> Parts:
    return Parts(
        module=module, once=Once(folder / "keys"), system=SystemEvents(module.templates), traffic=Traffic()
    )


def _welcome(gate: Gate, credentials: Credentials, left: int) -> Welcome:
    return Welcome(
        url=gate.doors.url,
        link=link_to(gate),
        token_file=credentials.owner_file,
        delegate_file=credentials.delegate_file,
        unattended=left,
    )


def _mcp(module: OrchestratorModule) -> Endpoint | None:
    """None where the extra isn't installed."""
    if find_spec("mcp") is None:
        return None
    from bigtask.mcp.endpoint import Endpoint

    return Endpoint(module)


@asynccontextmanager
async def _beside(
    work: Callable[[OrchestratorModule], Coroutine[Any, Any, None]] | None,
    module: OrchestratorModule,
    server: _Server,
) -> AsyncIterator[None]:
    if work is None:
        yield
        return

    def look(task: asyncio.Task[None]) -> None:
        server.should_exit |= task.cancelled() or task.exception() is not None

    task = server.beside = asyncio.create_task(work(module))
    task.add_done_callback(look)
    try:
        yield
    finally:
        await _ended(task)
    if not task.cancelled():
        task.result()


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


@contextmanager
def _listening(address: Address) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address.host.strip("[]"), address.port))
            listener.listen(_BACKLOG)
        except OSError as error:
            raise InvalidInput(
                f"{address.host} port {address.port} can't be listened at ({error.strerror or error}): "
                "choose another with --port, or let --port 0 find a free one"
            ) from None
        yield listener
    finally:
        listener.close()


def _config(address: Address, app: Any) -> uvicorn.Config:
    # What goes wrong is logged by the application, without secrets; what is asked for isn't logged.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).disabled = True
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        http="h11",
        ws=GatheredSocket,
        ws_max_size=_MESSAGE_LIMIT,
        ws_per_message_deflate=False,
        # A header that anybody can send says nothing about who they are.
        proxy_headers=False,
        server_header=False,
        # Longer than clients pause: one that asks just when it is cut off would take that for a failure.
        timeout_keep_alive=_KEPT_S,
        timeout_graceful_shutdown=_LAST_ANSWERS_S,
        ssl_certfile=address.certificate,
        ssl_keyfile=address.key,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise InvalidInput(f"the certificate or its key can't be used: {error}") from None
    return config


def _digest(certificate: Path | None) -> str:
    """The SHA-256 of a file's first certificate, which is the one that is shown; empty for none."""
    if certificate is None:
        return ""
    text = certificate.read_text(encoding="latin-1")
    first = text[text.index(ssl.PEM_HEADER) : text.index(ssl.PEM_FOOTER) + len(ssl.PEM_FOOTER)]
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()


class _Server(uvicorn.Server):
    """Lets go of the runs before the connections end, so that followers hear all that happened."""

    def __init__(self, config: uvicorn.Config, module: OrchestratorModule) -> None:
        super().__init__(config)
        self._module = module
        self.beside: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Done by whoever serves."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.beside is not None:
            # `beside` uses the module, which is closed next.
            await _ended(self.beside)
        await self._module.close()
        await super().shutdown(sockets)


@contextmanager
def _ended_by_signals(server: uvicorn.Server) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end() -> None:
        # The second time without waiting for anybody.
        server.force_exit = server.should_exit
        server.should_exit = True

    for number in ends:
        loop.add_signal_handler(number, end)
    try:
        yield
    finally:
        for number in ends:
            loop.remove_signal_handler(number)
