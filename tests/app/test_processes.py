"""Processes that belong together: restarted when they end, stopped together, never outliving their parent."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.commands.shell import Shell, wait_for
from tests.ports import free_port


@pytest.fixture
def running(tmp_path: Path, migrated_sqlite: Path) -> Iterator[tuple[Shell, "subprocess.Popen[bytes]"]]:
    """`tessera run`, ready."""
    shell = Shell(tmp_path / "installation")
    (shell.folder / "var").mkdir()
    (shell.folder / "var" / "tessera.db").write_bytes(migrated_sqlite.read_bytes())
    process = shell.serve("run")
    wait_for(lambda: shell.is_ready() and "delivery started" in shell.log)
    yield shell, process
    shell.close()


def descendants(pid: int) -> dict[int, str]:
    """All processes below one, by id, with their command lines."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                after_name = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(after_name[1]), []).append(int(entry.name))
    found: dict[int, str] = {}
    waiting = parents.get(pid, [])
    while waiting:
        one = waiting.pop()
        waiting += parents.get(one, [])
        try:
            found[one] = Path(f"/proc/{one}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


def named(pid: int, command: str) -> list[int]:
    """The children of a process that run a command of ours; the web server has workers below it with the same line."""
    same = {one for one, line in descendants(pid).items() if line.rstrip().endswith(f"-m app {command}")}
    return sorted(same - {below for one in same for below in descendants(one)})


def alive(pids: list[int]) -> list[int]:
    """Those that still run; one that ended and is not yet collected does not."""
    found = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in "ZX":
            found.append(pid)
    return found


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
def test_children_that_are_killed_come_back_and_all_end_with_the_parent(
    running: tuple[Shell, "subprocess.Popen[bytes]"],
) -> None:
    shell, parent = running
    [web], [delivery] = named(parent.pid, "web"), named(parent.pid, "deliver")

    os.kill(web, signal.SIGKILL)
    os.kill(delivery, signal.SIGKILL)
    wait_for(
        lambda: named(parent.pid, "web") not in ([], [web]) and named(parent.pid, "deliver") not in ([], [delivery])
    )
    wait_for(lambda: shell.is_ready() and shell.log.count("delivery started") == 2)
    everyone = list(descendants(parent.pid))
    assert "web ended with code -9; starting it again in 0.2 s" in shell.log
    assert "delivery ended with code -9" in shell.log

    parent.send_signal(signal.SIGTERM)

    assert parent.wait(20) == 0
    assert alive(everyone) == []
    assert not listens(shell.port)
    assert "Traceback" not in shell.log


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
def test_after_a_kill_of_the_parent_nobody_listens_and_it_can_be_started_again_at_once(
    running: tuple[Shell, "subprocess.Popen[bytes]"],
) -> None:
    shell, parent = running
    everyone = list(descendants(parent.pid))
    assert len(everyone) >= 2

    parent.kill()
    parent.wait()
    second = shell.serve("run")
    wait_for(lambda: alive(everyone) == [])
    wait_for(lambda: shell.is_ready() and shell.log.count("delivery started") == 2)

    assert second.poll() is None
    assert "TESSERA_LISTEN" not in shell.log
    second.send_signal(signal.SIGINT)
    assert second.wait(20) == 0
    assert not listens(shell.port)


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_child_whose_parent_died_while_it_was_loading_ends_by_itself(
    role: str, tmp_path: Path, migrated_sqlite: Path
) -> None:
    shell = Shell(tmp_path / "installation")
    (shell.folder / "var").mkdir()
    (shell.folder / "var" / "tessera.db").write_bytes(migrated_sqlite.read_bytes())
    with subprocess.Popen(["true"]) as gone:
        gone.wait()

    orphan = shell.begin(role, env={"_TESSERA_STARTED_BY": str(gone.pid)})

    orphan.communicate(timeout=30)
    assert not shell.is_ready()
    shell.close()


def test_a_port_in_use_ends_the_start_with_one_line(tmp_path: Path, migrated_sqlite: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        shell = Shell(tmp_path, TESSERA_LISTEN=f"127.0.0.1:{port}")
        assert shell("migrate").code == 0
        all_three = [shell.begin("run"), shell.begin("web"), shell.begin("demo")]
        ends = [one.communicate(timeout=40)[1].decode() for one in all_three]

    for process, said in zip(all_three, ends, strict=True):
        assert process.returncode == 1
        assert said == (
            f"tessera: TESSERA_LISTEN 127.0.0.1:{port} cannot be used: Address already in use; "
            "stop what listens there, or choose another, for example 127.0.0.1:8081\n"
        )


def test_an_address_of_another_machine_cannot_be_listened_at(tmp_path: Path) -> None:
    shell = Shell(tmp_path, TESSERA_LISTEN=f"192.0.2.1:{free_port()}")

    ended = shell("run")

    assert ended.code == 1
    assert "TESSERA_LISTEN 192.0.2.1:" in ended.line
    assert "Cannot assign requested address" in ended.line
