"""The vendors that this installation can tell."""

from collections.abc import Mapping

from app.wallets.apple.push import AppleChannel
from app.wallets.channel import Channel
from app.wallets.google.class_push import GoogleClassChannel
from app.wallets.google.push import GoogleChannel
from app.world import World


def open_channels(world: World) -> Mapping[str, Channel]:
    """Every channel by name; Google's only where Google is configured. Nothing is connected before the first push."""
    channels: list[Channel] = [AppleChannel(world)]
    if world.settings.google_ready:
        google = GoogleChannel(world)
        channels += [google, GoogleClassChannel(google)]
    return {one.name: one for one in channels}
