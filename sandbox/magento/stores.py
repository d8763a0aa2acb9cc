"""The store map and the sign-in: websites, groups, views, their configuration, admin tokens."""

from typing import Any

from sandbox.magento.auth import sign_in
from sandbox.magento.routing import Call, route
from sandbox.magento.shop import Shop


@route("POST", "/V1/integration/admin/token")
def admin_token(shop: Shop, call: Call) -> Any:
    return sign_in(shop, call.args["username"], call.args["password"])


@route("GET", "/V1/store/storeViews")
def views(shop: Shop, call: Call) -> Any:
    return shop.table("stores").values()


@route("GET", "/V1/store/storeGroups")
def groups(shop: Shop, call: Call) -> Any:
    return shop.table("store_groups").values()


@route("GET", "/V1/store/websites")
def websites(shop: Shop, call: Call) -> Any:
    return shop.table("websites").values()


@route("GET", "/V1/store/storeConfigs")
def configs(shop: Shop, call: Call) -> Any:
    given = call.query.get("storeCodes", call.query.get("store_codes"))
    codes = list(given.values()) if isinstance(given, dict) else None
    base = f"{shop.world.urls.get('magento', 'http://127.0.0.1')}/"
    result = []
    for view in shop.table("stores").values():
        if view["id"] == 0 or (codes is not None and view["code"] not in codes):
            continue
        urls = {
            f"{secure}base_{kind}url": base + path
            for secure in ("", "secure_")
            for kind, path in (("", ""), ("link_", ""), ("static_", "static/"), ("media_", "media/"))
        }
        result.append(
            {
                "id": view["id"],
                "code": view["code"],
                "website_id": view["website_id"],
                "locale": view["_locale"],
                "base_currency_code": view["_base_currency"],
                "default_display_currency_code": view["_currency"],
                "timezone": view["_timezone"],
                "weight_unit": "kgs",
                **urls,
            }
        )
    return result
