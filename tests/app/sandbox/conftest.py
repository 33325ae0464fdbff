"""One running sandbox for all tests of a module, emptied before each."""

from collections.abc import Iterator

import pytest

from app.sandbox.sandbox import Sandbox


@pytest.fixture(scope="module")
def running_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    running_sandbox.apns.reset()
    running_sandbox.google.reset()
    running_sandbox.hub.reset()
    return running_sandbox
