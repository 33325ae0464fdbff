"""Which card this browser made, so that joining again shows the same one."""

from itsdangerous import BadSignature, URLSafeSerializer

from app.vault import Vault

KEPT_S = 400 * 24 * 3600
PURPOSE = "card-cookie"


def cookie_name(programme_public_id: str) -> str:
    return f"card-{programme_public_id}"


def signed(vault: Vault, link: str) -> str:
    """A card's link as a cookie's value that nobody else can make."""
    return str(_serializer(vault).dumps(link))


def opened(vault: Vault, text: str) -> str | None:
    """The link in a cookie of ours; None for anything else."""
    try:
        link = _serializer(vault).loads(text)
    except BadSignature:
        return None
    return link if isinstance(link, str) else None


def _serializer(vault: Vault) -> URLSafeSerializer:
    return URLSafeSerializer(vault.key_for(PURPOSE), salt=PURPOSE)
