"""A phone's memory: one JSON file, and files beside it, written so that a killed process leaves no half."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any


class PhoneFolder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def load(self) -> dict[str, Any]:
        file = self._folder / "phone.json"
        if not file.exists():
            return {}
        content = json.loads(file.read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}

    def save(self, content: dict[str, Any]) -> None:
        self._write("phone.json", json.dumps(content, ensure_ascii=False, indent=1).encode())

    def keep(self, key: str, content: bytes) -> None:
        self._write(_name(key), content)

    def kept(self, key: str) -> bytes | None:
        file = self._folder / _name(key)
        return file.read_bytes() if file.exists() else None

    def drop(self, key: str) -> None:
        (self._folder / _name(key)).unlink(missing_ok=True)

    def _write(self, name: str, content: bytes) -> None:
        fresh = self._folder / f"{name}.new"
        fresh.write_bytes(content)
        os.replace(fresh, self._folder / name)


def _name(key: str) -> str:
    return f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.pkpass"
