"""A programme's colours as a stylesheet, every text colour checked against what it stands on."""

import colorsys

from app.cards.design import READABLE, Design, contrast, luminance, readable_on
from app.cards.models import Programme

LIGHT_GROUND, LIGHT_SURFACE = "#ecece8", "#ffffff"
DARK_GROUND, DARK_SURFACE = "#24282c", "#1b1e21"
DARK_INK, LIGHT_INK = "#15181a", "#ffffff"
LEAST_SATURATION = 24
NEUTRAL_ACCENT = "#33424f"


def stylesheet(programme: Programme, design: Design) -> str:
    """The custom properties of one programme: its card, its tiers' cards, and an accent for light and for dark."""
    chosen = accent_of(design)
    light, dark = toned(chosen, LIGHT_GROUND), toned(chosen, DARK_GROUND)
    rules = [
        f":root{{--card-bg:{design.background_color};--card-fg:{design.foreground_color};"
        f"--card-label:{readable_on(design.background_color, design.label_color)};"
        f"--accent:{light};--on-accent:{ink_on(light)}}}",
        f"@media(prefers-color-scheme:dark){{:root{{--accent:{dark};--on-accent:{ink_on(dark)}}}}}",
    ]
    for tier in programme.tiers:
        if tier.background_color:
            ground = tier.background_color
            rules.append(
                f".tier-{tier.position}{{--card-bg:{ground};--card-fg:{readable_on(ground, design.foreground_color)};"
                f"--card-label:{readable_on(ground, design.label_color)}}}"
            )
    return "\n".join(rules) + "\n"


def accent_of(design: Design) -> str:
    """The card's background where it has a hue of its own; a grey or white card gets its text's colour, or slate."""
    for color in (design.background_color, design.foreground_color):
        channels = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        if max(channels) - min(channels) >= LEAST_SATURATION:
            return color
    return NEUTRAL_ACCENT


def toned(color: str, ground: str) -> str:
    """*color* made lighter or darker in its own hue until it can be read on *ground*."""
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    step = -0.01 if luminance(ground) > 0.18 else 0.01
    found = color
    while contrast(found, ground) < READABLE and 0 < lightness + step < 1:
        lightness += step
        channels = colorsys.hls_to_rgb(hue, lightness, saturation)
        found = "#{:02x}{:02x}{:02x}".format(*(round(channel * 255) for channel in channels))
    return found


def ink_on(ground: str) -> str:
    """Dark or light text, whichever reads better."""
    return max((DARK_INK, LIGHT_INK), key=lambda ink: contrast(ink, ground))
