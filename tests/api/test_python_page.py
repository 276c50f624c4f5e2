"""docs/python.md: its programs run as they stand."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from projects import ENV, Project, repository

pytestmark = pytest.mark.integration

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
PATIENCE_S = 60.0


def program(number: int) -> str:
    found = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(found) == 3
    return str(found[number])


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    return {**ENV, "HOME": str(tmp_path), "BIGTASK_HOME": str(tmp_path / "home"), "LC_ALL": "C.UTF-8", **more}


def project(tmp_path: Path) -> Project:
    modules = {f"pkg/m{n}.py": f'"""Module {n}."""\n\n\ndef f{n}() -> None: ...\n' for n in range(3)}
    return repository(tmp_path / "project", {**modules, "pkg/__init__.py": ""})


def ran(tmp_path: Path, number: int) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program(number)],
        cwd=project(tmp_path).root,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_run_goes_from_its_request_into_the_branch(tmp_path: Path) -> None:
    lines = ran(tmp_path, 0).splitlines()
    done, total = next(
        found.groups() for line in lines if (found := re.fullmatch(r"complete (\d+) of (\d+)", line))
    )
    tasks = [line for line in lines if line.startswith("done: ") and "@" not in line]
    assert done == total == str(len(tasks))
    assert "merged: True" in lines


def test_what_goes_wrong_is_a_sentence(tmp_path: Path) -> None:
    assert ran(tmp_path, 1).startswith("NotFound - ")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    assert isinstance(port, int)
    return port


def test_the_routes_are_part_of_another_application_which_says_who_asks(tmp_path: Path) -> None:
    port = free_port()
    place = project(tmp_path)
    file = tmp_path / "theirs.py"
    file.write_text(program(2))
    process = subprocess.Popen(
        [sys.executable, str(file)],
        cwd=tmp_path,
        env=environment(tmp_path, MY_KEY="open", PORT=str(port)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        listening(port, process)

        def ask(method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict[str, object]]:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
            try:
                content = None if body is None else json.dumps(body)
                headers = {"Content-Type": "application/json", **headers} if body is not None else headers
                connection.request(method, path, content, headers)
                response = connection.getresponse()
                return response.status, json.loads(response.read())
            finally:
                connection.close()

        base, key = "/api/orchestrator", {"x-my-key": "open"}
        status, said = ask("GET", base)
        assert (status, said["error"]) == (401, "Unauthorized")
        status, said = ask("GET", base, **key, Origin="https://evil.example")
        assert (status, said["error"]) == (403, "ForbiddenError")
        assert ask("GET", base, **key, Origin=f"http://127.0.0.1:{port}")[0] == 200
        body = {"templateId": "documentation", "cwd": str(place.root), "message": "Document every module"}
        status, made = ask("POST", f"{base}/create", body, **key)
        assert status == 201, made
        id = made["orchestratorId"]
        assert ask("POST", f"{base}/{id}/start", **key)[0] == 200
        status, wrong = ask("POST", f"{base}/create", {"cwd": 3}, **key)
        assert (status, wrong["error"]) == (400, "ValidationError")
        assert ask("GET", f"{base}/{'0' * 26}", **key)[0] == 404

        address = f"ws://127.0.0.1:{port}/api/ws"
        with pytest.raises(InvalidStatus), connect(address):
            pass
        with connect(address, additional_headers=key) as way:
            way.send(json.dumps({"type": "subscribe", "orchestratorId": id, "after": 0}))
            assert json.loads(way.recv(timeout=PATIENCE_S))["type"] == "subscribed"
            assert json.loads(way.recv(timeout=PATIENCE_S))["type"] == "orchestrator:created"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)


def listening(port: int, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()[0]
        with socket.socket() as way:
            if way.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise AssertionError("the application doesn't listen")
