"""The rules of earning: read, published, tried out."""

from datetime import datetime, timedelta
from fractions import Fraction

from app import money
from app.api import earning_shapes as own
from app.api.calls import Body, Call, Operation, unknown
from app.api.shapes import moment
from app.cards.models import Programme
from app.clubs import service as clubs
from app.earning import overlaps, receipts, service, simulation
from app.earning.models import RuleVersion
from app.earning.receipts import Known, Read
from app.earning.rules import RuleSet
from app.earning.sentences import Speaker, decimal
from app.earning.simulation import Outcome
from app.errors import Unprocessable
from app.ledger import past_sales
from app.segments import service as segments

VERSIONS_SHOWN = 100


def read_rules(call: Call) -> Body:
    """The rules that hold now, and all versions."""
    programme = call.programme(call.path["programme"])
    found = service.published(call.session, programme)
    now = service.holding(call.session, programme, now=call.now)
    return {
        "programme": programme.public_id,
        "current": _version(call, programme, now, now.number),
        "versions": [_line(one, now.number, call.now) for one in found[:VERSIONS_SHOWN]],
    }


def read_version(call: Call) -> Body:
    """One version."""
    programme = call.programme(call.path["programme"])
    number = call.path["number"]
    found = {str(one.number): one for one in service.published(call.session, programme)}
    if number not in found:
        raise unknown("version", number)
    now = service.holding(call.session, programme, now=call.now)
    return _version(call, programme, found[number], now.number)


def publish(call: Call) -> Body:
    """A new version, or what it would be."""
    programme, body = call.programme(call.path["programme"]), call.body
    told = {"starts_at": body["starts_at"], "note": body["note"], "now": call.now}
    before = service.published(call.session, programme)
    starts_at = body["starts_at"] or call.now
    number = None
    if body["dry_run"]:
        ruleset = service.checked(call.session, programme, body["rules"], **told)
    else:
        by, based_on = call.caller.actor, body["based_on"]
        made = service.publish(call.session, programme, body["rules"], by=by, based_on=based_on, **told)
        ruleset, number = service.ruleset(made, programme.currency), made.number
        call.record("rules_published", f"programme:{programme.public_id}", number=number, starts_at=moment(starts_at))
    return {
        "published": number is not None,
        "number": number,
        "starts_at": moment(starts_at),
        **_described(call, programme, ruleset, "en"),
        "replaces": [one.number for one in service.superseded(before, starts_at=starts_at, now=call.now)],
    }


def try_out(call: Call) -> Body:
    """What rules would have given on sales of the past, beside those that hold now."""
    programme, body = call.programme(call.path["programme"]), call.body
    value = _point_value(body["point_value"], programme.currency)
    current = service.ruleset(service.holding(call.session, programme, now=call.now), programme.currency)
    draft = service.checked(call.session, programme, body["rules"], now=call.now) if body["rules"] else current
    known = receipts.known(call.session, programme)
    if "days" in body:
        since = call.now - timedelta(days=body["days"])
        past_sales.check_count(call.session, programme, since)
        read, sales = Read(), past_sales.since(call.session, programme, since, known)
    else:
        read = _read(body, known)
        sales = iter(sorted(read.receipts, key=lambda one: one.at))
        call.session.commit()  # nothing is read from here on, and long trials keep no connection waiting
    found = simulation.simulate(sales, draft, current, zone=programme.timezone, point_value=value)
    return {
        "receipts": found.receipts,
        "cards": found.cards,
        "spend": money.decimal_text(found.spend_minor, programme.currency),
        "currency": programme.currency,
        "first_at": moment(found.first_at) if found.first_at else None,
        "last_at": moment(found.last_at) if found.last_at else None,
        "draft": _outcome(found.draft, programme.currency),
        "current": _outcome(found.current, programme.currency),
        "unjudged": list(found.unjudged),
        "unread": len(read.faults),
        "unread_rows": [{"row": fault.row, "text": fault.text} for fault in read.faults[: own.FAULTS_SHOWN]],
    }


def _read(body: Body, known: Known) -> Read:
    if "csv" in body:
        return receipts.from_csv(body["csv"], known)
    return receipts.from_objects(body["receipts"], known)


def _point_value(text: str | None, currency: str) -> Fraction | None:
    if text is None:
        return None
    try:
        return simulation.point_value_of(text, money.exponent(currency))
    except ValueError:
        advice = 'Write what a point is worth as a decimal string above zero, such as "0.10".'
        raise Unprocessable("invalid_body", f"point_value: {advice}", errors={"point_value": advice}) from None


def _outcome(found: Outcome, currency: str) -> Body:
    give_back = None if found.give_back is None else decimal(found.give_back * 100)
    return {
        "points": found.points,
        "earning_sales": found.earning_sales,
        "discounts": money.decimal_text(found.discount_minor, currency),
        "bonus_money": money.decimal_text(found.bonus_minor, currency),
        "cost": None if found.cost_minor is None else money.decimal_text(found.cost_minor, currency),
        "give_back_percent": give_back,
        "by_rule": [
            {"name": one.name, "is_tier": one.is_tier, "points": one.points, "sales": one.sales} for one in found.shares
        ],
    }


def _line(version: RuleVersion, holding: int, now: datetime) -> Body:
    state = "planned" if version.starts_at > now else "past"
    return {
        "number": version.number,
        "starts_at": moment(version.starts_at),
        "state": "current" if version.number == holding else state,
        "note": version.note,
        "created_at": moment(version.created_at),
    }


def _version(call: Call, programme: Programme, version: RuleVersion, holding: int) -> Body:
    ruleset = service.ruleset(version, programme.currency)
    return {
        **_line(version, holding, call.now),
        "rules": service.raw(version),
        **_described(call, programme, ruleset, call.query["language"]),
    }


def _described(call: Call, programme: Programme, ruleset: RuleSet, language: str) -> Body:
    known = receipts.known(call.session, programme)
    tiers = {level.name: level.factor for level in known.levels.values()}
    names = service.store_names(call.session, programme) | clubs.segment_names(call.session, programme.id)
    names |= segments.names(call.session, programme.id)
    speaker = Speaker(language, programme.currency, names)
    met = overlaps.overlaps(ruleset, tiers)
    return {
        "sentences": [speaker.rule(rule) for rule in ruleset.rules],
        "overlaps": [overlaps.said(one, ruleset.stacking, speaker) for one in met],
    }


OPERATIONS = (
    Operation(
        method="GET",
        rule="/programmes/<programme>/rules",
        name="read_rules",
        summary="Read the rules of earning and their versions",
        tag="programmes",
        work=read_rules,
        query=own.InLanguage,
        answer=own.Rules,
    ),
    Operation(
        method="GET",
        rule="/programmes/<programme>/rules/<number>",
        name="read_rule_version",
        summary="Read one version of the rules",
        tag="programmes",
        work=read_version,
        query=own.InLanguage,
        answer=own.RuleVersion,
    ),
    Operation(
        method="POST",
        rule="/programmes/<programme>/rules",
        name="publish_rules",
        summary="Publish rules of earning",
        description="A new version from `starts_at` on. Booked sales keep the version that they were booked by.",
        tag="programmes",
        scope="write",
        work=publish,
        body=own.NewRules,
        answer=own.PublishedRules,
        status=201,
    ),
    Operation(
        method="POST",
        rule="/programmes/<programme>/rules/simulate",
        name="try_rules",
        summary="Try rules out on sales of the past, with their cost",
        description="Exactly one of receipts, csv and days. Without `rules`, those that hold now are tried out. "
        "Changes nothing.",
        tag="programmes",
        work=try_out,
        body=own.Trial,
        answer=own.TrialAnswer,
        asks=True,
        refusals=(400, 413, 422),
        body_bytes=own.CSV_MAX + 1024 * 1024,
    ),
)
