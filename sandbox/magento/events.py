"""Events out: a CloudEvents envelope per saved order, signed with the store's key, sent after the commit."""

import base64
import json
import uuid
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sandbox.kernel.store import Doc, Store
from sandbox.kernel.world import Notification
from sandbox.magento.shop import Shop

ORDER_SAVED = "observer.sales_order_save_commit_after"
SIGNATURE_HEADER = "x-adobe-commerce-webhook-signature"
PROVIDER = "6d2f4c1e-9a41-4d7b-8a55-0b6f3c8a1e20"
# The event's `value` by default: the row of the order, without its children.
ORDER_VALUE = (
    "entity_id",
    "increment_id",
    "state",
    "status",
    "store_id",
    "customer_id",
    "customer_is_guest",
    "grand_total",
    "order_currency_code",
    "total_paid",
    "total_due",
    "quote_id",
    "ext_order_id",
    "created_at",
    "updated_at",
)
KEYS = "keys.magento"  # outside the vendor's own tables: a reset keeps the key pair


def ensure_key_pair(store: Store) -> None:
    """Generate the signing key once (inside a transaction); receivers keep the public half."""
    if "pair" in store.table(KEYS):
        return
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    store.table(KEYS).put("pair", {"private": private.decode(), "public": public.decode()})


def public_key(store: Store) -> str:
    pair = store.table(KEYS).get("pair")
    return pair["public"] if pair else ""


def sign(store: Store, body: bytes) -> str:
    """base64 of RSA-SHA256 (PKCS #1 v1.5) over the base64 text of the raw body."""
    ensure_key_pair(store)
    pair = store.table(KEYS).get("pair") or {}
    key = serialization.load_pem_private_key(pair["private"].encode(), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("the store's signing key is not RSA")
    return base64.b64encode(key.sign(base64.b64encode(body), padding.PKCS1v15(), hashes.SHA256())).decode()


def order_saved(shop: Shop, order: Doc) -> None:
    """Announce a saved order to the registered receiver, if there is one."""
    value = {name: order.get(name) for name in ORDER_VALUE if order.get(name) is not None}
    publish(shop, ORDER_SAVED, value, order["store_id"])


def publish(shop: Shop, name: str, value: dict[str, Any], store_id: int) -> None:
    target = shop.world.notify_target("magento")
    if target is None:
        return
    view = shop.view(store_id)
    text = {key: str(each) if isinstance(each, int) else each for key, each in value.items()}
    envelope = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": f"urn:uuid:{PROVIDER}",
        "type": f"com.adobe.commerce.{name}",
        "datacontenttype": "application/json",
        "time": shop.now().strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "data": {
            "key": str(uuid.uuid4()),
            "source": f"{PROVIDER}.sandbox",
            "value": text,
            "_metadata": {
                "commerceEdition": "Adobe Commerce + B2B",
                "commerceVersion": shop.settings["version_profile"],
                "eventsClientVersion": "1.12.1",
                "storeId": str(store_id),
                "websiteId": str(view["website_id"]),
                "storeGroupId": str(view["store_group_id"]),
            },
        },
    }
    body = json.dumps(envelope, ensure_ascii=False).encode()
    headers = {"content-type": "application/cloudevents+json", SIGNATURE_HEADER: sign(shop.store, body)}
    shop.world.notify(Notification("magento", target["url"], body, headers))
