"""Identifiers, web service and token: whether the pass can ever be updated."""

from collections.abc import Iterator

from passes.apple import addresses
from passes.apple.findings import Finding, Rulebook
from passes.apple.lint.subject import Subject, place, shown

SERIAL_CHARACTERS_GOOD = 8
RULES = Rulebook()
PASS_TYPE = RULES.error(
    "pass-type-form",
    "a pass type identifier starts with pass. and is written in reverse DNS",
    "write pass.com.example.card",
)
TEAM = RULES.error(
    "team-form", "a team identifier is ten capital letters and digits", "copy it from Apple's membership page"
)
SERIAL = RULES.error(
    "serial-form",
    "the serial number travels in addresses, and other characters than A-Z a-z 0-9 . _ - break updates",
    "use 8 to 64 of these characters",
)
SERIAL_SHORT = RULES.note("serial-short", "a short serial number can be guessed", "use 8 to 64 random characters")
URL_INVALID = RULES.error(
    "web-service-url-invalid", "webServiceURL is no usable address", "write it as https://cards.example.com/apple"
)
URL_INSECURE = RULES.error(
    "web-service-url-insecure", "phones register only over HTTPS", "serve the web service under https://"
)
URL_LOOPBACK = RULES.note(
    "web-service-url-local",
    "the address leads to this machine only, so no phone can reach it",
    "use a public https address",
)
URL_V1 = RULES.error(
    "web-service-url-v1", "the phone adds /v1 itself, so it will ask for /v1/v1", "remove /v1 from the end"
)
URL_SLASH = RULES.warning(
    "web-service-url-slash", "with a slash at the end some phones ask for //v1", "remove the slash from the end"
)
URL_ALONE = RULES.error(
    "web-service-url-without-token", "without authenticationToken the pass never registers", "add authenticationToken"
)
TOKEN_ALONE = RULES.warning(
    "token-without-web-service-url", "authenticationToken means nothing without webServiceURL", "add webServiceURL"
)
TOKEN_SHORT = RULES.error(
    "token-short", "authenticationToken needs at least 16 characters", "use 32 or more random characters"
)
TOKEN_FORM = RULES.error(
    "token-form",
    "the token travels in a header: spaces, = and characters beyond ASCII break it",
    "use letters and digits only",
)


def check(subject: Subject) -> Iterator[Finding]:
    """Look at identifiers, webServiceURL and authenticationToken."""
    document = subject.document
    for key, pattern, rule in (
        ("passTypeIdentifier", addresses.PASS_TYPE, PASS_TYPE),
        ("teamIdentifier", addresses.TEAM, TEAM),
        ("serialNumber", addresses.SERIAL, SERIAL),
    ):
        value = document.get(key)
        if isinstance(value, str) and value and not pattern.fullmatch(value):
            yield rule.found(place(key), shown(value))
    serial = document.get("serialNumber")
    if isinstance(serial, str) and 0 < len(serial) < SERIAL_CHARACTERS_GOOD:
        yield SERIAL_SHORT.found(place("serialNumber"))
    url, token = document.get("webServiceURL"), document.get("authenticationToken")
    if isinstance(url, str):
        yield from _url(url)
        if token is None:
            yield URL_ALONE.found(place("webServiceURL"))
    if isinstance(token, str):
        yield from _token(token)
        if url is None:
            yield TOKEN_ALONE.found(place("authenticationToken"))


def _url(url: str) -> Iterator[Finding]:
    where = place("webServiceURL")
    parts = addresses.split(url)
    if parts is None or parts.query or parts.fragment or parts.username is not None:
        yield URL_INVALID.found(where, shown(url))
        return
    if addresses.is_loopback(parts):
        yield URL_LOOPBACK.found(where)
    elif parts.scheme != "https":
        yield URL_INSECURE.found(where, shown(url))
    if parts.path.rstrip("/").endswith("/v1"):
        yield URL_V1.found(where, shown(url))
    elif parts.path.endswith("/"):
        yield URL_SLASH.found(where, shown(url))


def _token(token: str) -> Iterator[Finding]:
    where = place("authenticationToken")
    if len(token) < addresses.TOKEN_CHARACTERS_MIN:
        yield TOKEN_SHORT.found(where, f"it has {len(token)}")
    elif not addresses.TOKEN.fullmatch(token):
        yield TOKEN_FORM.found(where)
