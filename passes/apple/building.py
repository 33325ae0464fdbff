"""A card, its artwork and a signer -> the finished .pkpass."""

from collections.abc import Mapping
from datetime import datetime

from passes.apple import bundle, strings
from passes.apple.bundle import Artwork
from passes.apple.encode import encode
from passes.apple.model import Pass
from passes.apple.signing import Signer
from passes.errors import IdentityError, InvalidPass


def build(
    card: Pass,
    artwork: Artwork,
    signer: Signer,
    *,
    at: datetime,
    translations: Mapping[str, Mapping[str, str]] | None = None,
) -> bytes:
    """Encode, pack and sign one pass.

    Args:
        card: what it says; its pass type and team must be those of the signer's certificate.
        artwork: images and shared translations, made once for many passes.
        signer: made once for each identity.
        at: aware, the moment of signing. Two builds at one moment are equal with an RSA key.
        translations: by language (`tr`, `zh-Hans`), texts of this pass alone -> their translation.

    Returns: the bytes of the .pkpass.
    Raises: InvalidPass, for a card or translation that Wallet would refuse; IdentityError, for a certificate that
        does not fit the card or is not valid at that moment.
    """
    return artwork.local + build_own(card, artwork, signer, at=at, translations=translations)


def build_own(
    card: Pass,
    artwork: Artwork,
    signer: Signer,
    *,
    at: datetime,
    translations: Mapping[str, Mapping[str, str]] | None = None,
) -> bytes:
    """Build the part of a pass that follows `artwork.local`; the two joined are what `build` returns.

    It has some thousand bytes, so that a store of finished passes need not hold the images once for each holder, and
    an answer can be sent as two pieces. Arguments and errors are those of `build`.
    """
    identity = signer.identity
    if card.pass_type_identifier != identity.pass_type_identifier or card.team_identifier != identity.team_identifier:
        raise IdentityError(identity.problems(at=at, pass_type=card.pass_type_identifier, team=card.team_identifier))
    files = {"pass.json": encode(card)}
    if translations:
        files |= _translated(translations, artwork)
    return bundle.pack_own(artwork, files, lambda manifest: signer.sign(manifest, at=at))


def _translated(translations: Mapping[str, Mapping[str, str]], artwork: Artwork) -> dict[str, bytes]:
    files = {f"{language}.lproj/pass.strings": strings.write(texts) for language, texts in translations.items()}
    bundle.check_names(files)
    if doubled := [
        f"{name}: is in the artwork already; give a text in one place" for name in files if name in artwork.files
    ]:
        raise InvalidPass(doubled)
    return files
