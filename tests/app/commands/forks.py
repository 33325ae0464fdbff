"""Runs commands in processes of their own without importing everything anew for each: import once, then fork.

Reads one JSON object a line: arguments, environ, folder, and the files that stand for stdin, stdout and stderr; answers
each with the exit code.
"""

import json
import os
import sys
import traceback
from typing import Any

from app import cli


def main() -> None:
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _become(json.loads(line))
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _become(asked: dict[str, Any]) -> None:
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environ"])
    for number, (name, flags) in enumerate(zip(("stdin", "stdout", "stderr"), "rww", strict=True)):
        with open(asked[name], flags, encoding="utf-8") as file:
            os.dup2(file.fileno(), number)
    sys.stdin, sys.stdout, sys.stderr = (open(n, f, encoding="utf-8") for n, f in enumerate("rww"))  # noqa: SIM115
    code: Any = 1
    try:
        code = cli.main(asked["arguments"])
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
