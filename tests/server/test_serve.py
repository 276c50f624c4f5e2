"""`bigtask serve` as its person meets it: one a home, closed to others, and ended without harm."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from bigtask.errors import InvalidInput
from bigtask.host.home import RunFolder
from bigtask.host.lock import Lock
from bigtask.server import leader as leading
from bigtask.server.serving import Address

from .conftest import BASE, furnish
from .served import PATIENCE_S, command, end, environment, served

pytestmark = pytest.mark.integration


def refused(home: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        command(*arguments),
        env=environment(home),
        cwd=home.parent,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stderr


def test_of_many_servers_that_begin_at_once_one_leads_and_the_others_name_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    many = [
        subprocess.Popen(
            command("--port", "0", "--json"),
            env=environment(home),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(20)
    ]
    ended: list[subprocess.Popen[str]] = []
    enough = threading.Event()

    def watch(process: subprocess.Popen[str]) -> None:
        process.wait()
        ended.append(process)
        if len(ended) == 19:
            enough.set()

    watchers = [threading.Thread(target=watch, args=(process,), daemon=True) for process in many]
    try:
        for watcher in watchers:
            watcher.start()
        assert enough.wait(3 * PATIENCE_S)
        [first] = [process for process in many if process.poll() is None]
        assert first.stdout is not None
        assert json.loads(first.stdout.readline())["pid"] == first.pid
        for process in ended:
            _, why = process.communicate(timeout=PATIENCE_S)
            assert process.returncode == 1
            # Which address it has is known a moment later.
            assert f"process {first.pid}" in why
        assert end(first)[0] == 0
    finally:
        for process in many:
            if process.poll() is None:
                process.kill()
            process.communicate()
    with served(home):
        pass  # when it has gone, another may lead


def test_without_the_lock_two_would_lead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with leading.leading(tmp_path):
        with pytest.raises(leading.ServerRunning), leading.leading(tmp_path):
            pass
        monkeypatch.setattr(leading.fcntl, "flock", lambda *_: None)
        with leading.leading(tmp_path):
            pass  # the mutant


def test_a_server_that_was_killed_stands_in_nobodys_way(tmp_path: Path) -> None:
    with served(tmp_path / "home") as server:
        end(server.process, signal.SIGKILL)
        assert (tmp_path / "home/server/server.json").exists()
        with served(tmp_path / "home") as second:
            assert second.get("/api/health")["status"] == "ok"
        assert not (tmp_path / "home/server/server.json").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_the_next_server_goes_on_with_its_runs(tmp_path: Path, number: int) -> None:
    desk, project = furnish(tmp_path)
    body = {
        "templateId": "tested",
        "cwd": str(project.root),
        "message": "Do it",
        "options": {"agent": desk.script({"tasks": [{"id": "one"}, {"id": "two"}]})},
    }
    with served(desk.home.path) as server:
        id = server.post(f"{BASE}/create", body)["orchestratorId"]
        server.post(f"{BASE}/{id}/start")
        server.wait_for(id, "orchestrator:waiting")
        status, said = end(server.process, number)
        assert status == 0
        assert "bigtask resume RUN" in said
    Lock.take(RunFolder(desk.home.runs / id).lock, who="a test").release()
    with served(desk.home.path) as server:
        server.post(f"{BASE}/{id}/confirm")
        server.wait_for(id, "orchestrator:completed")
        assert server.get(f"{BASE}/{id}")["orchestrator"]["outcome"] == "complete"


def test_a_run_that_another_process_has_isnt_taken_from_it(tmp_path: Path) -> None:
    desk, project = furnish(tmp_path)
    agent = desk.script({"tasks": [{"id": "one"}]})
    with served(desk.home.path) as server:
        made = server.post(
            f"{BASE}/create",
            {"templateId": "tested", "cwd": str(project.root), "message": "x", "options": {"agent": agent}},
        )
        id = made["orchestratorId"]
        holder = Lock.take(RunFolder(desk.home.runs / id).lock, who="another program")
        try:
            told = server.ask("POST", f"{BASE}/{id}/start")
            assert told.status == 409
            assert "another program" in told.said["message"]
        finally:
            holder.release()
        assert server.ask("POST", f"{BASE}/{id}/start").status == 200


def test_it_answers_this_machine_alone_unless_told_otherwise(tmp_path: Path) -> None:
    home = tmp_path / "home"
    status, said = refused(home, "--host", "0.0.0.0")  # noqa: S104 - that it is refused
    assert status == 2
    assert "--allow-remote" in said
    status, said = refused(home, "--host", "0.0.0.0", "--allow-remote")  # noqa: S104 - ditto
    assert status == 2
    assert "--tls-cert" in said
    with served(home) as server:
        listening = Path(f"/proc/{server.process.pid}/net/tcp").read_text()
        port = f":{server.port:04X}"
        places = {line.split()[1] for line in listening.splitlines()[1:] if line.split()[3] == "0A"}
        assert {place for place in places if place.endswith(port)} == {f"0100007F{port}"}


def test_other_addresses_need_encryption() -> None:
    everywhere = "0.0.0.0"  # noqa: S104 - that it is refused
    with pytest.raises(InvalidInput, match="allow-remote"):
        Address(host=everywhere)
    with pytest.raises(InvalidInput, match="without encryption"):
        Address(host=everywhere, allow_remote=True)
    with pytest.raises(InvalidInput, match="both"):
        Address(certificate=Path("c.pem"))
    Address(host=everywhere, allow_remote=True, proxy="https://bigtask.example.org")


def test_a_port_that_is_taken_and_a_link_without_a_server_are_told(tmp_path: Path) -> None:
    home = tmp_path / "home"
    status, said = refused(home, "--link")
    assert status == 2
    assert "bigtask serve" in said
    with served(home) as server:
        status, said = refused(tmp_path / "other", "--port", str(server.port))
        assert status == 2
        assert "--port 0" in said
        done = subprocess.run(
            command("--link"),
            env=environment(home),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=True,
        )
        code = done.stdout.strip().partition("#")[2]
        assert server.ask("POST", "/api/sign-in", {"code": code}, token=None).status == 200


def test_help_is_as_quick_as_without_a_server(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv=['bigtask','--help']\n"
        "from bigtask.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'fastapi','uvicorn','starlette','pydantic','websockets'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [*command()[:1], "-c", code],
        env=environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
