"""Ports to listen at later, which nobody else is given meanwhile: neither another process of the tests nor a client.

A port that the system chose may be chosen again, as the near end of any connection, before a server that takes two
seconds to load listens there. These lie below the range that systems choose from, and each worker has its own.
"""

import itertools
import os
import random
import socket

FIRST, EACH, WORKERS = 12_000, 1_200, 16
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
_steps = itertools.count(random.randrange(EACH))


def free_port() -> int:
    """A port of 127.0.0.1 at which nobody listens; not given twice before all the others were."""
    for step in itertools.islice(_steps, EACH):
        port = FIRST + _WORKER * EACH + step % EACH
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
