"""`python -m app.sandbox --folder DIR`: the sandbox as a process; DIR/sandbox.json holds its addresses once ready."""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

from app.sandbox.phone_server import sandbox_with_phones

LOOK_AT_PARENT_S = 0.2


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.sandbox", description="Stand-ins for APNs and Google Wallet.")
    parser.add_argument("--folder", type=Path, required=True, help="where keys and state are kept")
    parser.add_argument("--port-base", type=int, default=0, help="five ports from this one on; free ones without it")
    parser.add_argument("--pass-type", action="append", default=[], help="issue a pass identity (may be repeated)")
    parser.add_argument("--team", default="TEAM123456", help="the team of the pass identities")
    parser.add_argument("--product-url", default="", help="where the phones find the product")
    parser.add_argument("--end-with", type=int, metavar="PID", help="stop when this process, which started it, is gone")
    given = parser.parse_args(arguments)
    caught: list[int] = []  # an Event may not be set by a signal in the thread that waits for it: its lock may be held
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: caught.append(number))
    (given.folder / "sandbox.json").unlink(missing_ok=True)
    try:
        sandbox = sandbox_with_phones(given.folder, port_base=given.port_base, product_url=given.product_url)
        for pass_type in given.pass_type:
            sandbox.issue_pass_identity(pass_type, given.team)
        with sandbox:
            print(json.dumps(sandbox.addresses()), flush=True)
            while not caught:
                time.sleep(LOOK_AT_PARENT_S)
                # told, not asked for here: whoever started this may have died while it was loading
                if given.end_with is not None and os.getppid() != given.end_with:
                    break
    except (OSError, ValueError) as error:
        print(f"The sandbox cannot start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
