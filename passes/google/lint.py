"""What Google takes and then cuts off, hides, cannot fetch or does not protect."""

import ipaddress
from urllib.parse import urlsplit

from passes.google.findings import Report
from passes.google.schema import Body, texts
from passes.google.schema_types import TYPES, Member, Type


def review(type_name: str, body: Body, report: Report) -> None:
    """Add a finding for everything in the body that is allowed and yet not what its author meant."""
    _review(TYPES[type_name], body, type_name[0].lower() + type_name[1:], report)
    if body.get("rotatingBarcode") and body.get("barcode"):
        mend = "clear the static code when the rotating one is on"
        report.add("static_beside_rotating", "barcode", "a screenshot of the static code still works", mend)


def _review(rule: Type, body: Body, path: str, report: Report) -> None:
    for name, value in body.items():
        member, where = rule.members.get(name), f"{path}.{name}"
        if member is None:
            continue
        items = value if isinstance(value, list) else [value]
        if member.shown is not None and len(items) > member.shown:
            what = f"holds {len(items)}, of which Google shows {member.shown}"
            report.add("hidden_items", where, what, f"keep the {member.shown} that matter most")
        for index, item in enumerate(items):
            _review_item(member, item, f"{where}[{index}]" if member.is_list else where, report)


def _review_item(member: Member, item: object, path: str, report: Report) -> None:
    if member.advised is not None:
        _review_length(member.advised, item, path, report)
    if member.name in ("uri", "url") and isinstance(item, str) and not _is_public(item):
        report.add("not_public", path, "Google's servers cannot reach this address", "use a public https address")
    if isinstance(item, dict) and member.form in TYPES:
        _review(TYPES[member.form], item, path, report)


def _review_length(limit: int, item: object, path: str, report: Report) -> None:
    found = [("", str(item))] if isinstance(item, str | int) else []
    if isinstance(item, dict):
        found = [(f".{where}", text) for where, text in texts(item)]
    for where, text in found:
        if len(text) > limit:
            what = f"has {len(text)} characters, and phones show about {limit}"
            report.add("text_cut", path + where, what, f"shorten it to {limit}")


def _is_public(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme not in ("http", "https"):
        return True
    try:
        return ipaddress.ip_address(host).is_global and parts.scheme == "https"
    except ValueError:
        return parts.scheme == "https" and "." in host and not host.endswith((".local", ".internal", ".localhost"))
