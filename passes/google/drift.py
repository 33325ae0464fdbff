"""Does what Google answers hold what was sent? Old spellings of enums are forgiven."""

from dataclasses import dataclass
from datetime import datetime

from passes.google.ids import Kind
from passes.google.patch import NOTIFY
from passes.google.schema import Body
from passes.google.schema_types import TYPES, Member, Type

_UNSTORED = (NOTIFY,)
_REVIEWED = ("APPROVED", "UNDER_REVIEW")


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One member that is not what was wanted; `read` is None where it is absent."""

    path: str
    wanted: object
    read: object


def normalised(kind: Kind, read: Body) -> Body:
    """What Google answered, with today's enum names and without members that are only for reading."""
    return _normalise_type(TYPES[kind.schema], read)


def drift(kind: Kind, wanted: Body, read: Body, *, patch: Body | None = None, messages: bool = False) -> list[Drift]:
    """List where the answer differs from the body that was wanted; empty is good.

    Members that Google adds of itself are no difference, except a second one where only one may be.

    Args:
        wanted: the full body that the resource should now hold.
        read: the resource in a 2xx answer (of insert, get, patch, update; for addMessage its "resource").
        patch: the patch that was sent, if one was: what it cleared must be gone.
        messages: compare them too; those added by addMessage since then count as a difference.
    """
    skipped = _UNSTORED if messages else (*_UNSTORED, "messages")
    expected = {name: value for name, value in wanted.items() if name not in skipped}
    found: list[Drift] = []
    rule, actual = TYPES[kind.schema], normalised(kind, read)
    _compare_type(rule, expected, actual, "", found)
    _find_uncleared({} if patch is None else patch, actual, "", found)
    return found


def _normalise_type(rule: Type, read: Body) -> Body:
    kept: Body = {}
    for name, value in read.items():
        member = rule.members.get(name)
        if member is None:
            kept[name] = value
        elif not member.refused and value is not None:
            kept[name] = (
                [_normalise(member, i) for i in value] if isinstance(value, list) else _normalise(member, value)
            )
    return kept


def _normalise(member: Member, value: object) -> object:
    if isinstance(value, str):
        return member.today.get(value, value)
    if isinstance(value, dict) and member.form in TYPES:
        return _normalise_type(TYPES[member.form], value)
    return value


def _compare_type(rule: Type, wanted: Body, read: Body, path: str, found: list[Drift]) -> None:
    for name, value in wanted.items():
        where = f"{path}.{name}" if path else name
        member, actual = rule.members.get(name), read.get(name)
        if value is None:
            continue
        if member is None:
            found.append(Drift(path=where, wanted=value, read=actual))
        else:
            _compare(member, value, actual, where, found)
    for name in rule.exactly_one:
        if name in read and name not in wanted:
            found.append(Drift(path=f"{path}.{name}", wanted=None, read=read[name]))


def _compare(member: Member, wanted: object, read: object, path: str, found: list[Drift]) -> None:
    if isinstance(wanted, list):
        items = read if isinstance(read, list) else []
        if len(items) != len(wanted):
            found.append(Drift(path=path, wanted=wanted, read=read))
            return
        for index, (item, actual) in enumerate(zip(wanted, items, strict=True)):
            _compare(member, item, actual, f"{path}[{index}]", found)
    elif isinstance(wanted, dict) and member.form in TYPES and isinstance(read, dict):
        _compare_type(TYPES[member.form], wanted, read, path, found)
    elif not _same(member, wanted, read):
        found.append(Drift(path=path, wanted=wanted, read=read))


def _same(member: Member, wanted: object, read: object) -> bool:
    if member.name == "reviewStatus":
        return wanted == read or (wanted in _REVIEWED and read in _REVIEWED)
    if member.form == "int64":
        return str(wanted) == str(read)
    if member.name == "date":
        return wanted == read or _instant(wanted) == _instant(read) is not None
    if isinstance(wanted, bool) or isinstance(read, bool):
        return wanted is read
    return wanted == read


def _instant(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _find_uncleared(patch: Body, read: Body, path: str, found: list[Drift]) -> None:
    for name, value in patch.items():
        where, actual = (f"{path}.{name}" if path else name), read.get(name)
        if value is None and actual not in (None, [], {}, "") and all(each.path != where for each in found):
            found.append(Drift(path=where, wanted=None, read=actual))
        elif isinstance(value, dict) and isinstance(actual, dict):
            _find_uncleared(value, actual, where, found)
