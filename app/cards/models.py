"""Programmes, tiers, stores, members, cards, pictures, and the bulk touching of many cards."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base, BigId, Instant


class Programme(Base):
    """One set of rules, one brand, one default zone and currency.

    `status`: live, paused (no new members), ended. `design` is the JSON of `cards.design.Design`.
    `earn_points` points for every `earn_per_minor` minor units are what is promised to new members; what a sale earns
    is said by the versions of its rules (`earning`), of which `rules_number` is the last. `limits` are those of tills
    and people, as `fraud.rules` reads them. `revision` rises, in the transaction of the change itself, with everything
    that all cards of the programme show.
    """

    __tablename__ = "programme"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    currency: Mapped[str]
    timezone: Mapped[str]
    language: Mapped[str]
    pass_type_identifier: Mapped[str]
    team_identifier: Mapped[str]
    organization_name: Mapped[str]
    description: Mapped[str]
    status: Mapped[str] = mapped_column(default="live")
    earn_points: Mapped[int] = mapped_column(default=1)
    earn_per_minor: Mapped[int]
    rules_number: Mapped[int] = mapped_column(default=1, server_default="1")
    limits: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")
    design: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    design_version: Mapped[int] = mapped_column(default=1)
    revision: Mapped[int] = mapped_column(BigId, default=0)
    created_at: Mapped[datetime] = mapped_column(Instant)

    tiers: Mapped[list["Tier"]] = relationship(order_by="Tier.position", back_populates="programme")

    __table_args__ = (
        CheckConstraint("status IN ('live', 'paused', 'ended')", name="status"),
        CheckConstraint("earn_points >= 0 AND earn_per_minor > 0", name="earn"),
    )


class Tier(Base):
    """A level with benefits; `threshold_minor` rises with `position`. A card below the first threshold has no tier."""

    __tablename__ = "tier"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    position: Mapped[int]
    name: Mapped[str]
    texts: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    threshold_minor: Mapped[int] = mapped_column(BigId)
    multiplier_num: Mapped[int] = mapped_column(default=1)
    multiplier_den: Mapped[int] = mapped_column(default=1)
    background_color: Mapped[str | None]

    programme: Mapped[Programme] = relationship(back_populates="tiers")

    __table_args__ = (
        UniqueConstraint("programme_id", "position"),
        UniqueConstraint("programme_id", "name"),
        CheckConstraint("multiplier_num > 0 AND multiplier_den > 0 AND threshold_minor >= 0", name="numbers"),
    )


class Store(Base):
    """A shop; its zone decides what is valid at its tills."""

    __tablename__ = "store"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"), index=True)
    name: Mapped[str]
    timezone: Mapped[str]
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    created_at: Mapped[datetime] = mapped_column(Instant)
    region: Mapped[str] = mapped_column(default="", server_default="")

    __table_args__ = (UniqueConstraint("programme_id", "name"),)


class Member(Base):
    """A person in a programme. What names them is sealed (`cards.people`); look-ups go by keyed digest.

    `birthday_index` is the digest of the day of the year, `birthday_set_at` when it was said or changed last, and
    `birthday_changed_at` when another one was said in its place. `home_store_id`: where they joined; `timezone`: the
    zone that they chose themselves.
    """

    __tablename__ = "member"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"), index=True)
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    email_index: Mapped[str | None]
    phone_index: Mapped[str | None]
    language: Mapped[str]
    marketing_consent: Mapped[bool] = mapped_column(default=False)
    attributes: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    status: Mapped[str] = mapped_column(default="active")
    source: Mapped[str] = mapped_column(default="api")
    created_at: Mapped[datetime] = mapped_column(Instant)
    erased_at: Mapped[datetime | None] = mapped_column(Instant)
    birthday_index: Mapped[str | None]
    birthday_set_at: Mapped[datetime | None] = mapped_column(Instant)
    home_store_id: Mapped[int | None] = mapped_column(BigId)
    timezone: Mapped[str | None]
    birthday_changed_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (
        UniqueConstraint("programme_id", "email_index"),
        UniqueConstraint("programme_id", "phone_index"),
        CheckConstraint("status IN ('active', 'erased')", name="status"),
        Index("ix_member_programme_id_birthday_index", "programme_id", "birthday_index"),
    )


class Preference(Base):
    """How a member wants to be told things; without a row, as the programme does it.

    Quiet hours are local times such as "22:00". `per_week`: the most messages of marketing in seven days. `topics`:
    those that are not wanted.
    """

    __tablename__ = "preference"

    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"), primary_key=True)
    quiet_from: Mapped[str | None]
    quiet_to: Mapped[str | None]
    per_week: Mapped[int | None]
    unwanted_topics: Mapped[list[Any]] = mapped_column(JSON, default=list)
    changed_at: Mapped[datetime] = mapped_column(Instant)


class Consent(Base):
    """One answer to one question about one purpose and channel; append-only, the newest decides.

    `source`: where it was given, such as join, page, api or import. `actor`: who wrote it down. `proof`: what shows it,
    such as the id of the form and the shortened address that it came from.
    """

    __tablename__ = "consent"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"), index=True)
    purpose: Mapped[str]
    channel: Mapped[str]
    granted: Mapped[bool]
    text_version: Mapped[str]
    language: Mapped[str]
    source: Mapped[str]
    at: Mapped[datetime] = mapped_column(Instant)
    actor: Mapped[str] = mapped_column(default="", server_default="")
    proof: Mapped[str] = mapped_column(default="", server_default="")


class Suppression(Base):
    """A contact that was erased, as a keyed digest, so that an import cannot bring the person back."""

    __tablename__ = "suppression"

    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"), primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)


class Card(Base):
    """What the wallets show of a member.

    `number` is on the barcode and typed at the till (11 symbols, the last is a check); `serial` is the wallets' name
    for the card and never changes; `link` opens the customer's page. `version` rises by one at every visible change and
    `modified_at` by at least one whole second, because HTTP dates have no fractions. `kind`: loyalty; bearer, without a
    person; gift, with money on it. `spent_minor`: all that was ever spent, net of returns. `seq` and `hash` are those
    of the last entry in its chain (`ledger.chain`).
    """

    __tablename__ = "card"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"), unique=True)
    number: Mapped[str] = mapped_column(unique=True)
    serial: Mapped[str] = mapped_column(unique=True)
    link: Mapped[str] = mapped_column(unique=True)
    tier_id: Mapped[int | None] = mapped_column(ForeignKey("tier.id"))
    status: Mapped[str] = mapped_column(default="active")
    version: Mapped[int] = mapped_column(BigId, default=1)
    modified_at: Mapped[datetime] = mapped_column(Instant)
    qualifying_minor: Mapped[int] = mapped_column(BigId, default=0)
    created_at: Mapped[datetime] = mapped_column(Instant)
    spent_minor: Mapped[int] = mapped_column(BigId, default=0, server_default="0")
    kind: Mapped[str] = mapped_column(default="loyalty", server_default="loyalty")
    seq: Mapped[int] = mapped_column(BigId, default=0, server_default="0")
    hash: Mapped[str] = mapped_column(default="", server_default="")

    programme: Mapped[Programme] = relationship()
    member: Mapped[Member] = relationship()
    tier: Mapped[Tier | None] = relationship()

    __table_args__ = (
        CheckConstraint("status IN ('active', 'voided', 'erased')", name="status"),
        CheckConstraint("kind IN ('loyalty', 'bearer', 'gift')", name="kind"),
        Index("ix_card_programme_id_id", "programme_id", "id"),
        Index("ix_card_programme_id_created_at", "programme_id", "created_at"),
        # the audience of an offer is counted, and walked by tier, from this index alone
        Index("ix_card_programme_id_tier_id_status_id", "programme_id", "tier_id", "status", "id"),
    )


class Installation(Base):
    """A card's stay in one kind of wallet, from its first phone there to its last. `wallet`: apple or google."""

    __tablename__ = "installation"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    programme_id: Mapped[int] = mapped_column(BigId)
    card_id: Mapped[int] = mapped_column(BigId)
    wallet: Mapped[str]
    installed_at: Mapped[datetime] = mapped_column(Instant)
    gone_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (
        CheckConstraint("wallet IN ('apple', 'google')", name="wallet"),
        Index(
            "uq_installation_open",
            "card_id",
            "wallet",
            unique=True,
            sqlite_where=text("gone_at IS NULL"),
            postgresql_where=text("gone_at IS NULL"),
        ),
        Index("ix_installation_programme_id_installed_at", "programme_id", "installed_at"),
        Index("ix_installation_programme_id_gone_at", "programme_id", "gone_at"),
    )


class Asset(Base):
    """A picture of a programme's design; `slot` is logo, icon, strip or hero. The newest row of a slot is in use."""

    __tablename__ = "asset"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"), index=True)
    slot: Mapped[str]
    sha256: Mapped[str]
    media_type: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Instant)


class Expansion(Base):
    """A bulk change on its way through a programme's cards, chunk by chunk; killed anywhere, it goes on at its cursor.

    `tier_id`, `tiers` and `segment_id` narrow the audience, and `granted` to those that hold the offer by a grant.
    `reason` is offer_started, offer_warned, offer_ended, design or restore.
    Cards up to `last_card_id` belong to it; beyond `all_up_to` only those that changed since `changed_since`.
    `audience` is counted before the first chunk; `passed` of it were looked at, `touched` were changed. `stepped_at`
    (epoch milliseconds) decides whose turn it is.
    """

    __tablename__ = "expansion"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    tier_id: Mapped[int | None]
    reason: Mapped[str]
    offer_id: Mapped[int | None]
    status: Mapped[str] = mapped_column(default="running", index=True)
    cursor_card_id: Mapped[int] = mapped_column(BigId, default=0)
    touched: Mapped[int] = mapped_column(BigId, default=0)
    created_at: Mapped[datetime] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    audience: Mapped[int | None] = mapped_column(BigId)
    passed: Mapped[int] = mapped_column(BigId, default=0)
    last_card_id: Mapped[int | None] = mapped_column(BigId)
    all_up_to: Mapped[int | None] = mapped_column(BigId)
    changed_since: Mapped[datetime | None] = mapped_column(Instant)
    started_at: Mapped[datetime | None] = mapped_column(Instant)
    stepped_at: Mapped[int] = mapped_column(BigId, default=0)
    stopped_by: Mapped[str] = mapped_column(default="")
    tiers: Mapped[list[Any]] = mapped_column(JSON, default=list, server_default="[]")
    segment_id: Mapped[int | None] = mapped_column(BigId)
    granted: Mapped[bool] = mapped_column(default=False, server_default=false())

    __table_args__ = (
        CheckConstraint("status IN ('running', 'done', 'stopped')", name="status"),
        Index("ix_expansion_programme_id", "programme_id"),
        Index("ix_expansion_offer_id", "offer_id"),
    )
