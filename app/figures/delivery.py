"""How far the phones are: what is owed, what was sent, how long it took."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.clock import milliseconds
from app.delivery import backlog, snapshots
from app.delivery.census import FETCHED_BUCKETS_S
from app.delivery.counting import LAG_BUCKETS_S, TOOK_BUCKETS_S
from app.delivery.models import Tally
from app.outbox.models import Sender, Target
from app.outbox.rules import Lane
from app.webhooks.models import Endpoint
from app.world import World

CHANNELS = ("apple", "google", "google_class")
HINTS = ("sent", "failed", "expired")
Found = Mapping[str, Counter[tuple[str, str]]]


def tallies(_world: World, session: Session) -> Iterable[Metric]:
    """What delivering processes counted, all of them together."""
    found: Found = defaultdict(Counter)
    for name, label, detail, value in session.execute(select(Tally.name, Tally.label, Tally.detail, Tally.value)):
        found[name][label, detail] = value
    yield _counter(found, "push", "tessera_push", "What the wallets' services were told.", ("channel", "outcome"))
    yield _sends(found["sends"])
    yield _counter(found, "duplicate", "tessera_duplicates", "Sends whose lease was lost meanwhile.", ("channel",))
    yield _counter(found, "fault", "tessera_delivery_faults", "Steps of delivery that failed.", ("step",))
    for what in HINTS:
        text = f"Hints to workers that were {what}."
        yield CounterMetricFamily(f"tessera_hints_{what}", text, value=found["hint"][what, ""])
    swept = CounterMetricFamily("tessera_sweep_found", "Lanes with work whose hint was lost.", labels=["lane"])
    for lane in Lane:
        swept.add_metric([lane.name.lower()], found["sweep_found"][str(int(lane)), ""])
    yield swept
    yield from _histograms(found)


def _histograms(found: Found) -> Iterable[Metric]:
    taken = "From a change's commit until the wallet's service took it."
    yield _by_lane(found, "lag", "tessera_delivery_lag_seconds", taken)
    left = "From a change's commit until the request left."
    yield _by_lane(found, "leave", "tessera_commit_to_send_seconds", left)
    took = HistogramMetricFamily("tessera_send_seconds", "How long a send took.", labels=["channel"])
    for channel in CHANNELS:
        buckets = _cumulative(found["took"], channel, TOOK_BUCKETS_S)
        took.add_metric([channel], buckets, found["took_sum"][channel, ""] / 1000)
    yield took
    fetched = HistogramMetricFamily("tessera_fetched_lag_seconds", "From Apple's acceptance until the phone fetched.")
    sum_s = found["fetched_lag_sum"]["", ""] / 1000
    fetched.add_metric([], _cumulative(found["fetched_lag"], "", FETCHED_BUCKETS_S), sum_s)
    yield fetched


def _by_lane(found: Found, name: str, metric: str, text: str) -> Metric:
    family = HistogramMetricFamily(metric, text, labels=["lane"])
    for lane in Lane:
        label = str(int(lane))
        buckets = _cumulative(found[name], label, LAG_BUCKETS_S)
        family.add_metric([lane.name.lower()], buckets, found[f"{name}_sum"][label, ""] / 1000)
    return family


def _counter(found: Found, name: str, metric: str, text: str, labels: Sequence[str]) -> Metric:
    family = CounterMetricFamily(metric, text, labels=labels)
    for pair, value in sorted(found[name].items()):
        family.add_metric(list(pair)[: len(labels)], value)
    return family


def _sends(counts: Counter[tuple[str, str]]) -> Metric:
    family = CounterMetricFamily(
        "tessera_sends", "Answers of the wallets' services, by reason.", labels=["channel", "outcome", "reason"]
    )
    for (channel, detail), value in sorted(counts.items()):
        outcome, _, reason = detail.partition("/")
        family.add_metric([channel, outcome, reason], value)
    return family


def _cumulative(counts: Counter[tuple[str, str]], label: str, bounds: Sequence[str]) -> list[tuple[str, float]]:
    total = 0
    found: list[tuple[str, float]] = []
    for bound in bounds:
        total += counts[label, bound]
        found.append((bound if bound == "+Inf" else str(float(bound)), total))
    return found


def backlogs(world: World, session: Session) -> Iterable[Metric]:
    """What is owed at this moment."""
    now_ms = milliseconds(world.clock())
    owed = backlog.read(session, now_ms=now_ms)
    cards = GaugeMetricFamily(
        "tessera_cards_behind", "Cards that a wallet shows as they were; of many, wallets.", labels=["channel"]
    )
    dirty = GaugeMetricFamily("tessera_targets_dirty", "Wallets that are owed something.", labels=["channel", "lane"])
    oldest = GaugeMetricFamily(
        "tessera_oldest_dirty_seconds", "How long the first of them waits.", labels=["channel", "lane"]
    )
    for channel in CHANNELS:
        mine = [one for one in owed if one.channel == channel]
        if channel != "google_class":
            cards.add_metric([channel], _cards(session, channel, sum(one.count for one in mine)))
        for lane in Lane:
            rows = [one for one in mine if one.lane is lane]
            labels = [channel, lane.name.lower()]
            dirty.add_metric(labels, sum(one.count for one in rows))
            waited_ms = now_ms - min((one.oldest_ms for one in rows), default=now_ms)
            oldest.add_metric(labels, max(0, waited_ms) / 1000)
    return [cards, dirty, oldest]


def _cards(session: Session, channel: str, wallets: int) -> int:
    """Distinct cards; beyond 20,000 wallets the wallets themselves, because telling cards apart would sort them all."""
    if not 0 < wallets <= backlog.LOOKED_AT:
        return wallets
    behind = (Target.channel == channel, Target.want > Target.done, Target.state == "live")
    return session.scalar(select(func.count(Target.card_id.distinct())).where(*behind)) or 0


def conditions(world: World, session: Session) -> Iterable[Metric]:
    """All wallets by their condition, as at the last census."""
    family = GaugeMetricFamily("tessera_targets", "Wallets by condition.", labels=["channel", "condition"])
    counts: Counter[tuple[str, str]] = Counter()
    for one in snapshots.totals(session, now=world.clock()):
        for name in ("current", "told", "quiet", "behind", "parked", "gone"):
            counts[one.channel, name] += getattr(one, name)
    for (channel, name), count in sorted(counts.items()):
        family.add_metric([channel, name], count)
    return [family]


def senders(world: World, session: Session) -> Iterable[Metric]:
    """Breakers, paces, and what webhooks were told."""
    now_ms = milliseconds(world.clock())
    breakers = GaugeMetricFamily("tessera_breaker_open", "Senders that are stopped.", labels=["vendor"])
    waits = GaugeMetricFamily("tessera_rate_wait_seconds", "Until the next call may leave.", labels=["vendor"])
    rows = session.execute(select(Sender.vendor, Sender.breaker_until, Sender.next_free)).all()
    for vendor in ("apple", "google"):
        mine = [row for row in rows if row.vendor == vendor]
        breakers.add_metric([vendor], sum(row.breaker_until > now_ms for row in mine))
        free_us = max((row.next_free for row in mine), default=0)
        waits.add_metric([vendor], max(0, free_us / 1000 - now_ms) / 1000)
    told = CounterMetricFamily("tessera_webhook_deliveries", "Messages to webhooks.", labels=["outcome"])
    sums = select(func.sum(Endpoint.delivered), func.sum(Endpoint.failed), func.sum(Endpoint.parked))
    for outcome, count in zip(("delivered", "failed", "parked"), session.execute(sums).one(), strict=True):
        told.add_metric([outcome], int(count or 0))
    return [breakers, waits, told]
