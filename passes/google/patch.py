"""What to send so that what Google holds becomes what is wanted, and whether to send at all."""

from passes.google.ids import Kind
from passes.google.schema import Body


def fingerprint(body: Body, *, messages: bool = False) -> str:
    """Hash a body so that an equal hash means that no call is needed.

    Hexadecimal SHA-256 of the canonical JSON. Leaves out `notifyPreference`, which Google does not store, and
    `messages` unless asked, because a patch leaves them alone.
    """
    raise NotImplementedError


def difference(kind: Kind, sent: Body, wanted: Body, *, notify: bool = False, messages: bool = False) -> Body:
    """Compute the PATCH body between the last body acknowledged and the wanted one.

    Absolute values only; what is to be cleared is null; lists are whole; `messages` are left alone unless asked.
    A class's patch carries its review status. With `notify`, a changed balance or tier also alerts the holder.

    Returns: an empty dict when there is nothing to send.
    """
    raise NotImplementedError


def alerts(kind: Kind, patch: Body) -> bool:
    """Say whether this patch makes phones buzz, and so uses up one alert of the update budget."""
    raise NotImplementedError


def silenced(patch: Body) -> Body:
    """The same patch without the alert."""
    raise NotImplementedError
