"""A customer with a browser: opens pages, sends their forms as they are, keeps cookies."""

import re
from dataclasses import dataclass, field

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.cards.models import Member
from app.world import World

INPUT = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


@dataclass
class Visitor:
    app: Flask
    address: str = "203.0.113.7"
    agent: str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1"
    language: str = "en"
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    @property
    def _browser(self) -> dict[str, object]:
        return {
            "headers": {"User-Agent": self.agent, "Accept-Language": self.language},
            "environ_base": {"REMOTE_ADDR": self.address},
        }

    def open(self, path: str) -> TestResponse:
        return self.client.get(path, buffered=True, **self._browser)

    def hidden_fields(self, path: str) -> dict[str, str]:
        return dict(INPUT.findall(self.open(path).text))

    def send(self, path: str, form: dict[str, str] | None = None, *, from_page: str = "") -> TestResponse:
        hidden = self.hidden_fields(from_page or path)
        return self.client.post(path, data={**hidden, **(form or {})}, **self._browser)

    def join(self, name: str = "Ayşe Yılmaz", *, path: str = "/join/kahve", **form: str) -> TestResponse:
        return self.send(path, {"name": name, **form})


def members(world: World) -> int:
    with world.database.reading() as session:
        return session.scalar(select(func.count()).select_from(Member)) or 0
