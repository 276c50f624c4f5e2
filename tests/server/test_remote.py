"""Other machines: answered over TLS, by the name in the certificate's place, and not otherwise."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from websockets.sync.client import connect

from bigtask.errors import Conflict
from bigtask.host.home import Home
from bigtask.server.asking import ask_leader

from .served import PATIENCE_S, served

pytestmark = pytest.mark.integration


def certificate(folder: Path, address: str) -> tuple[Path, Path]:
    file, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-keyout", str(key), "-out", str(file), "-days", "2"),
            *("-subj", "/CN=bigtask", "-addext", f"subjectAltName=IP:{address}"),
        ],
        check=True,
        capture_output=True,
        timeout=PATIENCE_S,
    )
    return file, key


def own_address() -> str:
    """By which this machine is reached from others; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no network but itself")
        return str(asked.getsockname()[0])


def test_a_command_knows_a_server_by_the_certificate_that_it_made_for_itself(tmp_path: Path) -> None:
    # For an address that it isn't served at: what counts is that it is the same certificate.
    file, key = certificate(tmp_path, "192.0.2.7")
    text = subprocess.run(
        ["openssl", "x509", "-in", str(file), "-text"], check=True, capture_output=True, timeout=PATIENCE_S
    )
    file.write_bytes(text.stdout)  # words before it, as some authorities send them
    home = tmp_path / "home"
    for more in ((), ("--proxy", "https://bigtask.example.org")):
        with served(home, "--tls-cert", str(file), "--tls-key", str(key), *more) as server:
            answer = ask_leader(Home(home), "POST", "/api/sign-in-links")
            assert str(answer["link"]).startswith(f"{server.url}/sign-in#")
            told = home / "server" / "server.json"
            said = json.loads(told.read_text())
            # Somebody else has taken its place at the port.
            told.write_text(json.dumps({**said, "certificate": "0" * 64}))
            with pytest.raises(Conflict, match="shows another certificate"):
                ask_leader(Home(home), "POST", "/api/sign-in-links")


def test_another_address_is_served_over_tls_and_only_over_tls(tmp_path: Path) -> None:
    address = own_address()
    file, key = certificate(tmp_path, address)
    options = ("--host", address, "--allow-remote", "--tls-cert", str(file), "--tls-key", str(key))
    with served(tmp_path / "home", *options) as server:
        assert server.url == f"https://{address}:{server.port}"
        trusted = ssl.create_default_context(cafile=str(file))

        def ask(host: str | None = None, token: str = server.token) -> tuple[int, dict[str, object]]:
            way = http.client.HTTPSConnection(address, server.port, context=trusted, timeout=PATIENCE_S)
            try:
                headers = {"Authorization": f"Bearer {token}", **({"Host": host} if host else {})}
                way.request("GET", "/api/health", headers=headers)
                response = way.getresponse()
                return response.status, json.loads(response.read())
            finally:
                way.close()

        assert ask()[0] == 200
        assert ask(token=server.token[::-1])[0] == 401
        assert ask(host=f"evil.example:{server.port}")[0] == 403
        assert ask(host=f"127.0.0.1:{server.port}")[0] == 403
        plain = http.client.HTTPConnection(address, server.port, timeout=PATIENCE_S)
        plain.request("GET", "/api/health", headers={"Authorization": f"Bearer {server.token}"})
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            plain.getresponse()
        plain.close()
        socket_url = f"wss://{address}:{server.port}/api/ws"
        headers = {"Authorization": f"Bearer {server.token}"}
        with connect(socket_url, ssl=trusted, additional_headers=headers) as way:
            way.send('{"type": "ping"}')
            assert json.loads(way.recv(timeout=PATIENCE_S)) == {"type": "pong"}
        # A browser that signs in gets a cookie that only goes over TLS.
        code = server.link.partition("#")[2]
        way = http.client.HTTPSConnection(address, server.port, context=trusted, timeout=PATIENCE_S)
        body = json.dumps({"code": code})
        way.request("POST", "/api/sign-in", body, {"Content-Type": "application/json"})
        assert "; Secure" in str(way.getresponse().headers["set-cookie"])
        way.close()
