"""A form that is sent twice, as by a double click or by going back and on, does its work once."""

import hashlib
import json
import secrets
from collections.abc import Callable
from datetime import datetime

from flask import request
from sqlalchemy.orm import Session

from app import idempotency
from app.idempotency import Claim
from app.staff.guards import current_staff

KEY = "key"
NOT_SAID = {"csrf_token"}  # another one each second, for the same form


def form_key() -> str:
    """What a form carries as `key`: the one it came with, or a new one."""
    return request.form.get(KEY) or secrets.token_hex(12)


def once(session: Session, work: Callable[[], str], *, now: datetime) -> str:
    """What *work* says, or said when the same form was sent before. A form without a key is always worked on.

    Raises: Conflict `in_progress`, while the first is worked on; whatever *work* raises, and then it was not done.
    """
    if not request.form.get(KEY):
        return work()
    said = sorted(one for one in request.form.items(multi=True) if one[0] not in NOT_SAID)
    digest = hashlib.sha256(json.dumps([request.path, said]).encode()).hexdigest()
    claim = Claim(scope=f"marketing:{current_staff().public_id}", key=digest, digest=digest)
    answer, _is_repeat = idempotency.once(session, claim, work, status=303, now=now)
    return answer.answer
