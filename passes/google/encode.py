"""Model -> the JSON that Google's REST API takes, checked against its schema."""

from passes.google.ids import Kind
from passes.google.model import Message, Resource
from passes.google.schema import Body, Finding


def kind_of(resource: Resource) -> Kind:
    raise NotImplementedError


def body(resource: Resource) -> Body:
    """Encode a class or an object in full, fit for insert and for update.

    Raises: InvalidPass, with every problem.
    """
    raise NotImplementedError


def message_body(message: Message) -> Body:
    """Encode one message for `api.add_message`. Raises: InvalidPass."""
    raise NotImplementedError


def lint(resource: Resource) -> list[Finding]:
    """List what Google accepts and then cuts off, hides or ignores. Empty when there is nothing."""
    raise NotImplementedError
