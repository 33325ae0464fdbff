"""What phones post to the log endpoint: the only remote view of what went wrong on a device."""

import re
from dataclasses import dataclass, field

from passes.apple.webservice import json_object
from passes.errors import CallbackError

LOG_BYTES_MAX = 32 * 1024
LOG_LINES_MAX = 20
LOG_CHARACTERS_MAX = 500

_TASKS = {
    "Register task": "register",
    "Unregister task": "unregister",
    "Get serial #s task": "list",
    "Get pass task": "fetch",
}
_LINE = re.compile(
    r"(?:\[[^\]]{0,40}\] )?(?P<task>[A-Z][A-Za-z #]{0,30} task) \(.*?\) encountered error: (?P<error>.*)"
)
_PASS_TYPE = re.compile(r"\bpass type (?P<name>[A-Za-z0-9][A-Za-z0-9.-]{0,154})")
_CAUSES = (
    (
        re.compile(r"Authentication failure"),
        "authentication",
        "the server answered 401: the token in the pass and the token that the server derives differ",
    ),
    (
        re.compile(r"Unexpected response code (?P<status>\d{3})"),
        "status",
        "the server, or a proxy before it, answered with a status that phones do not accept here",
    ),
    (
        re.compile(r"Requested serial number .* received serial number"),
        "wrong-pass",
        "the pass that was served has another serial number than the address asked for",
    ),
    (
        re.compile(r"TemporalValidity"),
        "expired-certificate",
        "the certificate had ended when the pass was signed: renew it with `tessera certs csr`",
    ),
    (
        re.compile(r"LeafMarkerOid"),
        "wrong-certificate",
        "the pass was signed with a certificate of another kind: import the one of its pass type",
    ),
    (
        re.compile(r"(?i)manifest"),
        "manifest",
        "the pass was changed after it was signed: look for a proxy that rewrites downloads",
    ),
    (
        re.compile(r"Received invalid pass data"),
        "invalid-pass",
        "the phone refused the served pass: run `tessera pass lint` on the same file",
    ),
    (
        re.compile(r"(?i)malformed|unable to parse|not valid JSON|response (?:data|body)"),
        "malformed-answer",
        "the answer was not of the promised form: serialNumbers must be strings and lastUpdated a string",
    ),
    (
        re.compile(r"(?i)enhanced certificate|NFC dictionary|personalization"),
        "nfc-certificate",
        "an NFC or personalization part needs a certificate that Apple grants apart; leave the part out",
    ),
    (
        re.compile(r"(?i)trust chain|may not match your certificate|signature"),
        "signature",
        "the signature was not accepted: look at certificate, intermediate and expiry with `tessera doctor`",
    ),
    (
        re.compile(r"(?i)NSURLErrorDomain|timed out|could not connect|connection|network|certificate for this server"),
        "network",
        "the phone did not reach the server: look at DNS, TLS certificate and firewall",
    ),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line from a phone, safe to store; what is not understood stays empty.

    Attributes:
        text: the line, cut, with control characters escaped. It may hold device ids and serials.
        task: register, unregister, list, fetch; "" for other lines.
        error: what the phone says went wrong.
        cause: a stable word for it, see `hint` for what to do.
    """

    text: str = field(repr=False)
    task: str = ""
    error: str = ""
    cause: str = ""
    hint: str = ""


def log_lines(body: bytes) -> tuple[LogLine, ...]:
    """Read the body of a log call.

    Never raises, because the phone must get its 200: a body that cannot be read has no lines.
    """
    if len(body) > LOG_BYTES_MAX:
        return ()
    try:
        lines = json_object(body).get("logs")
    except CallbackError:
        return ()
    if not isinstance(lines, list):
        return ()
    return tuple(read_log_line(line) for line in lines[:LOG_LINES_MAX] if isinstance(line, str))


def read_log_line(line: str) -> LogLine:
    """Make sense of one line from a phone, as untrusted text."""
    text = _escaped(line)
    match = _LINE.fullmatch(text)
    task = _TASKS.get(match["task"], "") if match else ""
    error = match["error"] if match else ""
    for pattern, cause, hint in _CAUSES:
        if found := pattern.search(error or text):
            status = found.groupdict().get("status")
            return LogLine(text=text, task=task, error=error, cause=f"{cause}-{status}" if status else cause, hint=hint)
    return LogLine(text=text, task=task, error=error)


def pass_type_of(text: str) -> str:
    """The pass type that a line speaks of; empty if it names none."""
    found = _PASS_TYPE.search(text)
    return found["name"].rstrip(".") if found else ""


def _escaped(line: str) -> str:
    cut = line[:LOG_CHARACTERS_MAX]
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)[:LOG_CHARACTERS_MAX]
