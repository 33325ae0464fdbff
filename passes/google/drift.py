"""Does what Google answers hold what was sent? Old spellings of enums are forgiven."""

from dataclasses import dataclass

from passes.google.ids import Kind
from passes.google.schema import Body


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One member that is not what was wanted; `read` is None where it is absent."""

    path: str
    wanted: object
    read: object


def normalised(kind: Kind, read: Body) -> Body:
    """What Google answered, with today's enum names and without members that are only for reading."""
    raise NotImplementedError


def drift(kind: Kind, wanted: Body, read: Body, *, patch: Body | None = None, messages: bool = False) -> list[Drift]:
    """List where the answer differs from the body that was wanted; empty is good.

    Args:
        wanted: the full body that the resource should now hold.
        read: the resource in a 2xx answer (of insert, get, patch, update; for addMessage its "resource").
        patch: the patch that was sent, if one was: what it cleared must be gone.
    """
    raise NotImplementedError
