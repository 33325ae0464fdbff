"""Every setting, read once from the environment (or a `.env` file) and checked before anything starts."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.errors import ConfigurationError

PREFIX = "TESSERA_"
STARTED_BY = "_TESSERA_STARTED_BY"
LOG_LEVELS = ("debug", "info", "warning", "error")
LONGEST_PATH_SHOWN = 200


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All of Tessera's configuration. `Settings.from_environ` is how it is made; tests build it directly."""

    database_url: str = field(default="sqlite:///var/tessera.db", repr=False)
    broker_url: str = field(default="", repr=False)
    base_url: str = "http://127.0.0.1:8080"
    listen: str = "127.0.0.1:8080"
    secret_key: str = field(default="", repr=False)
    certs_dir: Path = Path("certs")
    var_dir: Path = Path("var")
    apple_key_password: str = field(default="", repr=False)
    apns_url: str = "https://api.push.apple.com"
    apns_ca_file: Path | None = None
    apns_key_file: Path | None = None
    apns_key_id: str = ""
    google_wallet_url: str = "https://walletobjects.googleapis.com"
    google_credentials: Path | None = None
    google_issuer_id: str = ""
    google_root_keys_url: str = "https://pay.google.com/gp/m/issuer/keys"
    google_save_url: str = "https://pay.google.com/gp/v/save"
    google_rate: int = 20
    google_batch_weight: str = "each"
    bulk_apple_rate: int = 500
    window_urgent_ms: int = 1_000
    window_normal_ms: int = 5_000
    window_bulk_ms: int = 10_000
    smtp_url: str = field(default="", repr=False)
    webhook_allow: frozenset[str] = frozenset()
    web_threads: int = 4
    web_processes: int = 1
    drain_s: int = 0
    trusted_proxies: int = 0
    failpoint: str = ""
    log_level: str = "info"
    log_format: str = "text"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], *, dotenv: Path | None = None) -> "Settings":
        """Read and check every TESSERA_ variable; variables win over the `.env` file, `NAME_FILE` names a file.

        Raises: ConfigurationError naming every faulty variable, its fault and a right example, on one line.
        """
        values = {**_read_dotenv(dotenv), **environ} if dotenv else dict(environ)
        problems: list[str] = []
        chosen: dict[str, Any] = {}
        for known in fields(cls):
            text = _text_of(PREFIX + known.name.upper(), values, problems)
            if text is not None:
                _parse_into(chosen, known.name, text, problems)
        unknown = _unknown_names(values)
        problems += [f"{name} is not a setting of Tessera; remove it or correct its spelling" for name in unknown]
        problems += _halves(chosen)
        problems += _one_machine(chosen)
        if problems:
            raise ConfigurationError("; ".join(problems))
        return cls(**chosen)

    @property
    def secure(self) -> bool:
        """Whether people reach this installation over https."""
        return self.base_url.startswith("https://")

    @property
    def windows_ms(self) -> tuple[int, int, int]:
        """How long changes are gathered before they are sent, by lane: urgent, normal, bulk."""
        return (self.window_urgent_ms, self.window_normal_ms, self.window_bulk_ms)

    @property
    def google_ready(self) -> bool:
        """Whether Google Wallet is configured at all."""
        return bool(self.google_credentials and self.google_issuer_id)


def _read_dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    found: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(
            f"{path} cannot be read: {reason}; it holds lines such as {PREFIX}LOG_LEVEL=info"
        ) from None
    for line in lines:
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            found[name.strip()] = _unquoted(value.strip())
    return found


def _unquoted(text: str) -> str:
    quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text


def _text_of(name: str, values: Mapping[str, str], problems: list[str]) -> str | None:
    if name in values and values[name] != "":
        return values[name]
    file = values.get(f"{name}_FILE", "")
    if not file or name.endswith("_FILE"):
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "not text"
        problems.append(f"{name}_FILE cannot be read: {reason} ({file})")
        return None


def _unknown_names(values: Mapping[str, str]) -> list[str]:
    known = {PREFIX + one.name.upper() for one in fields(Settings)}
    known |= {f"{name}_FILE" for name in known} | {"TESSERA_TEST_POSTGRES_URL"}
    return sorted(name for name in values if name.startswith(PREFIX) and name not in known)


def _url(*schemes: str, example: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        parts = _split(text)
        if parts is None or parts.scheme not in schemes:
            starts = " or ".join(f"{scheme}://" for scheme in schemes)
            raise ValueError(f"must be an address that starts with {starts}, for example {example}")
        return text.rstrip("/")

    return check


def _split(text: str) -> SplitResult | None:
    """An address taken apart; None where it has no host, a port out of range, or a character that no address has."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    clean = text.isascii() and text.isprintable() and " " not in text
    return parts if clean and parts.hostname else None


def _public_url(text: str) -> str:
    check = _url("http", "https", example="https://cards.example.com")
    parts = urlsplit(check(text))
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("must have no user name, ? or #, for example https://cards.example.com")
    return check(text)


def _database_url(text: str) -> str:
    wrong = "must be sqlite:///path or postgresql://user:password@host/name, for example sqlite:///var/tessera.db"
    try:
        url = make_url(text.replace("postgres://", "postgresql://", 1))
    except (ArgumentError, ValueError):
        raise ValueError(wrong) from None
    if url.drivername == "sqlite":
        return _sqlite_url(url, text, wrong)
    # a host may also be given as ?host=/path/of/its/socket
    if url.drivername != "postgresql" or not url.database or not (url.host or url.query.get("host")):
        raise ValueError(wrong)
    return text.replace("postgres://", "postgresql://", 1)


def _sqlite_url(url: URL, text: str, wrong: str) -> str:
    """A file: what lives in memory alone would be another database in each process, and gone with it."""
    if url.host or url.query or not url.database or ":memory:" in url.database:
        raise ValueError(wrong)
    if Path(url.database).is_dir():
        raise ValueError(f"names a folder ({url.database}); name a file in it, for example sqlite:///var/tessera.db")
    return text


def _listen(text: str) -> str:
    host, colon, port = text.rpartition(":")
    named = re.fullmatch(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]", host)
    if not colon or not named or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise ValueError("must be host:port, for example 127.0.0.1:8080 or [::1]:8080")
    return text


def _whole(low: int, high: int, example: int) -> Callable[[str], int]:
    def check(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}, for example {example}")
        return int(text)

    return check


def _one_of(*allowed: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}, for example {allowed[0]}")
        return text.lower()

    return check


def _secret_key(text: str) -> str:
    if len(text) < 32:
        raise ValueError("must have at least 32 characters, for example the output of: openssl rand -hex 32")
    return text


def _existing_file(text: str) -> Path:
    try:
        known = Path(text).is_file()
    except (OSError, ValueError):
        known = False
    if not known:
        # whoever pastes the file's content instead of its path must not find a key in the log
        shown = text if len(text) <= LONGEST_PATH_SHOWN and text.isprintable() and "{" not in text else "no path at all"
        raise ValueError(f"names no file ({shown}), for example certs/google/service-account.json")
    return Path(text)


def _key_id(text: str) -> str:
    if not re.fullmatch(r"[A-Z0-9]{10}", text):
        raise ValueError("must be the ten characters in the name of the key's file, for example ABC123DEFG")
    return text


def _halves(chosen: Mapping[str, Any]) -> list[str]:
    """Settings that mean nothing without each other."""
    pairs = (
        ("apns_key_file", "apns_key_id", "ABC123DEFG", "AuthKey_ABC123DEFG.p8"),
        ("google_credentials", "google_issuer_id", "3388000000012345678", "certs/google/service-account.json"),
    )
    found = []
    for file, name, name_example, file_example in pairs:
        if file in chosen and name not in chosen:
            found.append(_missing(name, file, name_example))
        if name in chosen and file not in chosen:
            found.append(_missing(file, name, file_example))
    return found


def _one_machine(chosen: Mapping[str, Any]) -> list[str]:
    """A broker joins several machines, and SQLite serves the processes of one."""
    if not chosen.get("broker_url") or not chosen.get("database_url", "sqlite").startswith("sqlite"):
        return []
    return [
        f"{PREFIX}BROKER_URL is for several machines, and SQLite serves one: remove it, or set "
        f"{PREFIX}DATABASE_URL=postgresql://user:password@host/name"
    ]


def _missing(absent: str, present: str, example: str) -> str:
    name, other = PREFIX + absent.upper(), PREFIX + present.upper()
    return f"{name} is missing beside {other}, for example {name}={example}"


def _neighbours(text: str) -> frozenset[str]:
    """Names with ports, in small letters; an IPv6 address loses its brackets."""
    wrong = "must be host:port, several apart by commas, for example hooks.internal:8443,127.0.0.1:9000"
    found = set()
    for one in text.split(","):
        try:
            host, _, port = _listen(one.strip().lower()).rpartition(":")
        except ValueError:
            raise ValueError(wrong) from None
        found.add(f"{host.strip('[]')}:{int(port)}")
    return frozenset(found)


def _issuer(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,30}", text):
        raise ValueError(
            "must be the digits that the Google Pay & Wallet console shows, for example 3388000000012345678"
        )
    return text


PARSERS: dict[str, Callable[[str], Any]] = {
    "database_url": _database_url,
    "broker_url": _url("redis", "rediss", "amqp", example="redis://127.0.0.1:6379/0"),
    "base_url": _public_url,
    "listen": _listen,
    "secret_key": _secret_key,
    "certs_dir": Path,
    "var_dir": Path,
    "apns_url": _url("https", example="https://api.push.apple.com"),
    "apns_ca_file": _existing_file,
    "apns_key_file": _existing_file,
    "apns_key_id": _key_id,
    "google_wallet_url": _url("https", "http", example="https://walletobjects.googleapis.com"),
    "google_credentials": _existing_file,
    "google_issuer_id": _issuer,
    "google_root_keys_url": _url("https", "http", example="https://pay.google.com/gp/m/issuer/keys"),
    "google_save_url": _url("https", "http", example="https://pay.google.com/gp/v/save"),
    "google_rate": _whole(1, 1000, 20),
    "google_batch_weight": _one_of("each", "one"),
    "bulk_apple_rate": _whole(1, 1_000_000, 500),
    "window_urgent_ms": _whole(0, 60_000, 1_000),
    "window_normal_ms": _whole(0, 600_000, 5_000),
    "window_bulk_ms": _whole(0, 600_000, 10_000),
    "smtp_url": _url("smtp", "smtps", example="smtps://user:password@mail.example.com:465"),
    "webhook_allow": _neighbours,
    "web_threads": _whole(1, 256, 8),
    "web_processes": _whole(1, 64, 4),
    "drain_s": _whole(0, 60, 5),
    "trusted_proxies": _whole(0, 5, 1),
    "log_level": _one_of(*LOG_LEVELS),
    "log_format": _one_of("text", "json"),
}


def _parse_into(chosen: dict[str, Any], name: str, text: str, problems: list[str]) -> None:
    try:
        chosen[name] = PARSERS.get(name, str)(text)
    except ValueError as problem:
        problems.append(f"{PREFIX}{name.upper()} {problem}")


def load() -> Settings:
    """The settings of this process: the environment, and a `.env` file in the working directory.

    Raises: ConfigurationError, as `Settings.from_environ`.
    """
    return Settings.from_environ(os.environ, dotenv=Path(".env"))


def checked_database_url(text: str) -> str:
    """An address of a database as it is used.

    Raises: ConfigurationError, saying what it must look like.
    """
    try:
        return _database_url(text)
    except ValueError as problem:
        raise ConfigurationError(f"the database's address {problem}") from None


def child_environ(over: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process that this one starts, with some settings of its own."""
    return {**os.environ, **over, STARTED_BY: str(os.getpid())}


def parent_pid() -> int | None:
    """The process that started this one with `child_environ`, alive or not; None if a person or a supervisor did."""
    return int(os.environ.get(STARTED_BY, "0")) or None
