"""The sandbox with its phones: what `python -m app.sandbox` runs."""

from pathlib import Path
from wsgiref.types import WSGIApplication

from app.sandbox.phone_pages import create_pages
from app.sandbox.sandbox import Sandbox


def sandbox_with_phones(folder: Path, *, port_base: int = 0, product_url: str = "") -> Sandbox:
    """A sandbox, not started yet, whose `pages_url` shows the two phones."""
    return Sandbox(folder, port_base=port_base, product_url=product_url, create_pages=_pages)


def _pages(sandbox: Sandbox) -> WSGIApplication:
    pages = create_pages(sandbox)
    sandbox.at_stop(pages.extensions["phones"].close)
    return pages.wsgi_app
