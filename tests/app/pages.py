"""Using pages as a browser does: the token of a page goes with its form."""

import re

from flask.testing import FlaskClient
from werkzeug.test import TestResponse


def csrf_of(client: FlaskClient, page: str) -> str:
    """The CSRF token that a page carries."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(page).text)
    return found[1] if found else ""


def post(client: FlaskClient, address: str, *, page: str, **fields: str) -> TestResponse:
    """Send a form as the page does that holds it."""
    return client.post(address, data={"csrf_token": csrf_of(client, page), **fields})
