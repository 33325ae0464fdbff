"""The calls in the README work as they are pasted, one after the other, beside a running demo."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.journeys.browser import demo
from tests.journeys.stage import READY_WITHIN_S

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_call_is_answered_beside_the_demo(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        script = pasted(README.read_text(encoding="utf-8"), base=running.base, folder=tmp_path)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=READY_WITHIN_S,
            check=False,
        )

    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert '"reason":"a cold coffee"' in done.stdout.replace('": ', '":')


def pasted(text: str, *, base: str, folder: Path) -> str:
    """All blocks as one script, with this machine's addresses; a refusal ends it."""
    blocks = BLOCK.findall(text)
    assert len(blocks) == 4
    for written, meant in (
        ("http://127.0.0.1:8080", base),
        (".venv/bin/tessera", f"{sys.executable} -m app"),
        ("sqlite:///var/demo", f"sqlite:///{folder}/var/demo"),
        ("curl -sS", "curl -sS --fail-with-body"),
    ):
        assert written in blocks[0]
        blocks = [block.replace(written, meant) for block in blocks]
    return "\n".join(blocks)
