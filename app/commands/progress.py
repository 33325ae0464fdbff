"""How far long work is: a bar that is drawn anew on a terminal, plain lines elsewhere."""

import sys
import time

BAR = 30
LINE_EVERY_S = 5.0


class Progress:
    """Counts what was done of each part; `total` rows in all, if anybody knows."""

    def __init__(self, what: str, total: int = 0) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._said_at = time.monotonic()
        self._terminal = sys.stderr.isatty()

    def __call__(self, part: str, count: int) -> None:
        """*count* more of *part* are done."""
        self._done += count
        now = time.monotonic()
        if now - self._said_at < (0.1 if self._terminal else LINE_EVERY_S):
            return
        self._said_at = now
        sys.stderr.write(f"\r{self._bar()} {part:20.20}" if self._terminal else f"{self._what}: {self._done} {part}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Leave the terminal's line clean."""
        if self._terminal:
            sys.stderr.write("\r\033[K")

    def _bar(self) -> str:
        if not self._total:
            return f"{self._what}: {self._done:,}"
        full = min(BAR, BAR * self._done // self._total)
        return f"{self._what} [{'#' * full}{'.' * (BAR - full)}] {min(100, 100 * self._done // self._total):3d} %"
