"""A pass as the simulated iPhone holds it: opened, judged, and read in a language."""

import io
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from app.sandbox.apple_archive import check_manifest, open_archive, parse_json
from app.sandbox.apple_fields import fields_of, groups_of
from app.sandbox.apple_findings import Finding, Findings
from app.sandbox.apple_rules import check_pass
from app.sandbox.apple_signature import SignatureReport, check_signature
from app.sandbox.apple_strings import check_strings, languages_of, pick_language

ICONS = ("icon.png", "icon@2x.png", "icon@3x.png")
STRIP_POINTS = 375
IMAGE_PIXELS_MAX = 20_000_000


@dataclass(frozen=True)
class ApplePass:
    """What is in the archive."""

    content: dict[str, Any]
    files: dict[str, bytes] = field(repr=False)
    strings: dict[str, dict[str, str]] = field(repr=False)

    @property
    def pass_type(self) -> str:
        return str(self.content["passTypeIdentifier"])

    @property
    def serial(self) -> str:
        return str(self.content["serialNumber"])

    @property
    def web_service_url(self) -> str | None:
        return self.content.get("webServiceURL")

    @property
    def token(self) -> str:
        return str(self.content.get("authenticationToken", ""))

    @property
    def fields(self) -> dict[str, dict[str, Any]]:
        return fields_of(self.content)

    @property
    def groups(self) -> dict[str, list[dict[str, Any]]]:
        return groups_of(self.content)

    def text(self, text: str, language: str) -> str:
        """The text in the phone's language, if the pass translates it."""
        folder = pick_language(language, sorted(self.strings))
        return self.strings[folder].get(text, text) if folder else text

    def image(self, slot: str, language: str) -> tuple[str, bytes] | None:
        """The sharpest picture for a slot, with its name: the root's before that of the language."""
        folder = pick_language(language, languages_of(self.files))
        for place in ("", f"{folder}.lproj/"):
            for scale in ("@3x", "@2x", ""):
                name = f"{place}{slot}{scale}.png"
                if name in self.files:
                    return name, self.files[name]
        return None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the phone found when it opened a pass; accepted unless a finding is fatal."""

    findings: list[Finding]
    signature: SignatureReport
    apple_pass: ApplePass | None
    size_bytes: int

    @property
    def accepted(self) -> bool:
        return self.apple_pass is not None and not any(finding.fatal for finding in self.findings)

    @property
    def reasons(self) -> list[str]:
        return [finding.text for finding in self.findings if finding.fatal]


def judge(pkpass: bytes, root_pem: bytes, *, allow_http: bool) -> Verdict:
    """Open the archive and check everything that Wallet checks."""
    findings = Findings()
    files = open_archive(pkpass, findings)
    signature = SignatureReport(valid=False, judge="none")
    content: Any = None
    strings: dict[str, dict[str, str]] = {}
    if files:
        check_manifest(files, findings)
        if "signature" in files and "manifest.json" in files:
            signature = check_signature(files["signature"], files["manifest.json"], root_pem, findings)
        strings = check_strings(files, findings)
        _check_images(files, findings)
    if "pass.json" in files:
        content = parse_json(files["pass.json"], "pass.json", findings)
        if not isinstance(content, dict):
            findings.refuse("pass.object", "pass.json is not a JSON object.")
            content = None
    if content is not None:
        check_pass(content, findings, allow_http=allow_http)
        _check_identity(content, signature, findings)
    readable = content is not None and all(isinstance(content.get(key), str) for key in _IDENTITY)
    return Verdict(
        findings=findings.items,
        signature=signature,
        apple_pass=ApplePass(content, files, strings) if readable else None,
        size_bytes=len(pkpass),
    )


_IDENTITY = ("passTypeIdentifier", "serialNumber")


def _check_identity(content: dict[str, Any], signature: SignatureReport, findings: Findings) -> None:
    for key, found, part in (
        ("passTypeIdentifier", signature.pass_type, "UID"),
        ("teamIdentifier", signature.team, "OU"),
    ):
        if content.get(key) != found:
            findings.refuse(
                "pass.identity",
                f"{key} is {content.get(key)!r}, the certificate's {part} is {found!r}: they must agree.",
            )


def _check_images(files: dict[str, bytes], findings: Findings) -> None:
    icons = [name for name in files if name.rsplit("/", 1)[-1] in ICONS]
    if not icons:
        findings.refuse("image.icon", "There is no icon; Wallet refuses such a pass without a word.")
    elif not any("@2x" in name or "@3x" in name for name in icons):
        findings.defect("image.icon", "There is no icon@2x.png or icon@3x.png; it looks blurred.")
    for name in sorted(name for name in files if name.endswith(".png")):
        _check_image(name, files[name], findings)


def _check_image(name: str, content: bytes, findings: Findings) -> None:
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            width, height = picture.size
            if width * height > IMAGE_PIXELS_MAX:
                raise ValueError("too many pixels")
            picture.verify()
    except Exception as error:  # Pillow raises many kinds for a broken picture
        findings.refuse("image.broken", f"{name} is no readable PNG: {error}.")
        return
    slot, _, scale = name.rsplit("/", 1)[-1].removesuffix(".png").partition("@")
    factor = int(scale[0]) if scale in ("2x", "3x") else 1
    if slot in ("icon", "thumbnail") and width != height:
        findings.defect("image.size", f"{name} is {width} × {height}; it should be square.")
    if slot == "strip" and width < STRIP_POINTS * factor:
        findings.defect("image.size", f"{name} is {width} pixels wide and will be enlarged to {STRIP_POINTS * factor}.")
