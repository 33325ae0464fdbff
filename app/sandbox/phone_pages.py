"""The two phones in the browser: /sandbox."""

from typing import Any

from flask import Flask


def create_pages(sandbox: Any) -> Flask:
    """The pages of the phones; reads sandbox.apns, .google, .authority, .folder and .product_url."""
    return Flask(__name__)
