"""What to send so that what Google holds becomes what is wanted, and whether to send at all."""

import hashlib
import json

from passes.google.ids import Kind
from passes.google.schema import Body
from passes.google.schema_types import ALERTING

NOTIFY = "notifyPreference"
_MESSAGES = "messages"
_REVIEW = "reviewStatus"


def canonical(value: object) -> str:
    """The one JSON text of a value: sorted members, no spaces; 1, 1.0 and true stay apart."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def fingerprint(body: Body, *, messages: bool = False) -> str:
    """Hash a body so that an equal hash means that no call is needed.

    Hexadecimal SHA-256 of the canonical JSON. Leaves out `notifyPreference`, which Google does not store, and
    `messages` unless asked, because a patch leaves them alone.
    """
    return hashlib.sha256(canonical(_lasting(body, messages=messages)).encode()).hexdigest()


def difference(kind: Kind, sent: Body, wanted: Body, *, notify: bool = False, messages: bool = False) -> Body:
    """Compute the PATCH body between the last body acknowledged and the wanted one.

    Absolute values only; what is to be cleared is null; lists are whole; `messages` are left alone unless asked.
    A nested value that changed is sent whole, with null for what it no longer holds: so it comes out the same whether
    Google merges it or replaces it, and a balance never keeps two members. A class's patch carries its review status.
    With `notify`, a changed balance or tier also alerts the holder.

    Returns: an empty dict when there is nothing to send.
    """
    old, new = _lasting(sent, messages=messages), _lasting(wanted, messages=messages)
    changes = {name: value for name, value in _overlay(old, new).items() if name != "id" and _differs(old, new, name)}
    if not changes:
        return {}
    if kind.is_class:
        changes[_REVIEW] = wanted.get(_REVIEW, "UNDER_REVIEW")
    if notify and _touches_alerting(kind, old, new):
        changes[NOTIFY] = "NOTIFY_ON_UPDATE"
    return changes


def alerts(patch: Body) -> bool:
    """Say whether this patch makes phones buzz, and so uses up one alert of the update budget."""
    return patch.get(NOTIFY) == "NOTIFY_ON_UPDATE"


def silenced(patch: Body) -> Body:
    """The same patch without the alert."""
    return {name: value for name, value in patch.items() if name != NOTIFY}


def _lasting(body: Body, *, messages: bool) -> Body:
    left_out = {NOTIFY} if messages else {NOTIFY, _MESSAGES}
    return {name: value for name, value in body.items() if name not in left_out and value is not None}


def _differs(old: Body, new: Body, name: str) -> bool:
    return (name in old) != (name in new) or canonical(old.get(name)) != canonical(new.get(name))


def _overlay(old: Body, new: Body) -> Body:
    """The new values in full, with null for each member that only the old ones hold."""
    merged: Body = dict.fromkeys((name for name in old if name not in new), None)
    for name, value in new.items():
        before = old.get(name)
        merged[name] = _overlay(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


def _touches_alerting(kind: Kind, old: Body, new: Body) -> bool:
    return any(canonical(_at(old, path)) != canonical(_at(new, path)) for path in ALERTING.get(kind.schema, ()))


def _at(body: Body, path: str) -> object:
    value: object = body
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
