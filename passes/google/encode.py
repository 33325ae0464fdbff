"""Model -> the JSON that Google's REST API takes, checked against its schema."""

from passes.errors import InvalidPass
from passes.google import parts, schema
from passes.google.findings import Finding, Report
from passes.google.ids import Kind
from passes.google.lint import review
from passes.google.model import (
    ClassShared,
    Item,
    LoyaltyClass,
    LoyaltyObject,
    Message,
    ObjectShared,
    OfferClass,
    OfferObject,
    Resource,
    Shared,
    Template,
)
from passes.google.parts import image, link, tidy, twins
from passes.google.schema import Body

_KINDS: dict[type[Resource], Kind] = {
    LoyaltyClass: Kind.LOYALTY_CLASS,
    LoyaltyObject: Kind.LOYALTY_OBJECT,
    OfferClass: Kind.OFFER_CLASS,
    OfferObject: Kind.OFFER_OBJECT,
}
_ROW_NAMES = {
    1: ("oneItem", ("item",)),
    2: ("twoItems", ("startItem", "endItem")),
    3: ("threeItems", ("startItem", "middleItem", "endItem")),
}


def kind_of(resource: Resource) -> Kind:
    """The kind of resource that this value is."""
    return _KINDS[type(resource)]


def body(resource: Resource) -> Body:
    """Encode a class or an object in full, fit for insert and for update.

    Raises: InvalidPass, with every problem.
    """
    encoded = _unchecked(resource)
    report = Report()
    button = resource.app_link
    if button is not None and not button.uri and not button.package_name:
        report.add("choice", "app_link", "leads nowhere", "give a web address or an Android package")
    if isinstance(resource, ClassShared) and resource.template is not None:
        _check_template(resource.template, report)
    report.found += schema.problems(kind_of(resource).schema, encoded)
    if report.found:
        raise InvalidPass(str(finding) for finding in report.found)
    return encoded


def message_body(message: Message) -> Body:
    """Encode one message for `api.add_message`. Raises: InvalidPass."""
    encoded: Body = {"message": parts.message(message)}
    schema.check("AddMessageRequest", encoded)
    return encoded


def lint(resource: Resource) -> list[Finding]:
    """List what Google accepts and then cuts off, hides or cannot fetch. Empty when there is nothing."""
    report = Report()
    review(kind_of(resource).schema, _unchecked(resource), report)
    return report.found


def _unchecked(resource: Resource) -> Body:
    encoded = _shared(resource)
    if isinstance(resource, LoyaltyClass):
        encoded |= _class(resource) | _loyalty_class(resource)
    elif isinstance(resource, OfferClass):
        encoded |= _class(resource) | _offer_class(resource)
    elif isinstance(resource, LoyaltyObject):
        encoded |= _object(resource) | _loyalty_object(resource)
    else:
        encoded |= _object(resource) | {"disableExpirationNotification": None if resource.announce_expiry else True}
    return tidy(encoded)


def _shared(resource: Shared) -> Body:
    return {
        "id": str(resource.id),
        "heroImage": image(resource.hero_image),
        "textModulesData": [parts.text_module(module) for module in resource.text_modules],
        "imageModulesData": [{"id": module.id, "mainImage": image(module.image)} for module in resource.image_modules],
        "linksModuleData": tidy({"uris": [link(each) for each in resource.links]}) or None,
        "messages": [parts.message(each) for each in resource.messages],
        "merchantLocations": [parts.merchant_location(place) for place in resource.merchant_locations],
        "valueAddedModuleData": [parts.value_added_module(module) for module in resource.value_added_modules],
        "appLinkData": parts.app_link(resource.app_link),
    }


def _class(resource: ClassShared) -> Body:
    return {
        **twins("issuerName", resource.issuer_name),
        # Google answers APPROVED; sending that back makes the call fail, so every write says this.
        "reviewStatus": "UNDER_REVIEW",
        "hexBackgroundColor": resource.background_color,
        "countryCode": resource.country_code,
        "callbackOptions": None if resource.callback_url is None else {"url": resource.callback_url},
        "homepageUri": link(resource.homepage),
        "multipleDevicesAndHoldersAllowedStatus": None if resource.holders is None else resource.holders.value,
        "viewUnlockRequirement": "UNLOCK_REQUIRED_TO_VIEW" if resource.unlock_to_view else None,
        "securityAnimation": {"animationType": "FOIL_SHIMMER"} if resource.shimmer else None,
        "classTemplateInfo": None if resource.template is None else _template(resource.template),
    }


def _loyalty_class(resource: LoyaltyClass) -> Body:
    return {
        **twins("programName", resource.programme_name),
        "programLogo": image(resource.logo),
        "wideProgramLogo": image(resource.wide_logo),
        **twins("accountNameLabel", resource.account_name_label),
        **twins("accountIdLabel", resource.account_id_label),
        **twins("rewardsTier", resource.tier),
        **twins("rewardsTierLabel", resource.tier_label),
        **twins("secondaryRewardsTier", resource.second_tier),
        **twins("secondaryRewardsTierLabel", resource.second_tier_label),
    }


def _offer_class(resource: OfferClass) -> Body:
    return {
        **twins("title", resource.title),
        **twins("shortTitle", resource.short_title),
        **twins("provider", resource.provider),
        "redemptionChannel": resource.channel.value,
        **twins("details", resource.details),
        **twins("finePrint", resource.fine_print),
        "titleImage": image(resource.title_image),
        "wideTitleImage": image(resource.wide_title_image),
        "helpUri": link(resource.help),
    }


def _object(resource: ObjectShared) -> Body:
    group = {"groupingId": resource.group, "sortIndex": resource.group_index}
    screenshots = {True: "ELIGIBLE", False: "INELIGIBLE", None: None}[resource.screenshots_allowed]
    return {
        "classId": str(resource.class_id),
        "state": resource.state.value,
        "barcode": parts.barcode(resource.barcode),
        "rotatingBarcode": parts.rotating_barcode(resource.rotating_barcode),
        "validTimeInterval": parts.time_interval(resource.valid),
        "groupingInfo": tidy(group) or None,
        "linkedObjectIds": [str(other) for other in resource.linked_object_ids],
        "passConstraints": None if screenshots is None else {"screenshotEligibility": screenshots},
    }


def _loyalty_object(resource: LoyaltyObject) -> Body:
    return {
        "accountId": resource.account_id,
        "accountName": resource.account_name,
        "loyaltyPoints": parts.points(resource.points),
        "secondaryLoyaltyPoints": parts.points(resource.second_points),
        "linkedOfferIds": [str(offer) for offer in resource.linked_offer_ids],
    }


def _template(template: Template) -> Body:
    top = dict(zip(("firstTopDetail", "secondTopDetail"), template.above_barcode, strict=False))
    barcode = {name: {"fieldSelector": parts.selector(item.paths)} for name, item in top.items()}
    if template.below_barcode is not None:
        barcode["firstBottomDetail"] = {"fieldSelector": parts.selector(template.below_barcode.paths)}
    first, second = template.list_first, template.list_second
    in_list = {
        "firstRowOption": None if first is None else {"fieldOption": parts.selector(first.paths)},
        "secondRowOption": None if second is None else parts.selector(second.paths),
    }
    details: list[object] = [{"item": parts.item(each)} for each in template.details]
    rows = [_row(row) for row in template.rows if len(row) in _ROW_NAMES]
    return tidy(
        {
            "cardTemplateOverride": tidy({"cardRowTemplateInfos": rows}) or None,
            "detailsTemplateOverride": tidy({"detailsItemInfos": details}) or None,
            "listTemplateOverride": tidy(in_list) or None,
            "cardBarcodeSectionDetails": barcode or None,
        }
    )


def _row(row: tuple[Item, ...]) -> Body:
    name, places = _ROW_NAMES[len(row)]
    return {name: {place: parts.item(item) for place, item in zip(places, row, strict=True)}}


def _check_template(template: Template, report: Report) -> None:
    path = "template"
    for index, row in enumerate(template.rows):
        if len(row) not in _ROW_NAMES:
            report.add("row", f"{path}.rows[{index}]", f"holds {len(row)} items", "give one, two or three")
    if len(template.above_barcode) > 2:
        report.add("row", f"{path}.above_barcode", f"holds {len(template.above_barcode)} items", "give one or two")
    single = {"list_first": template.list_first, "list_second": template.list_second}
    single["below_barcode"] = template.below_barcode
    for name, item in single.items():
        if item is not None and item.second:
            report.add("row", f"{path}.{name}", "has no room for a second value", "give the first only")
