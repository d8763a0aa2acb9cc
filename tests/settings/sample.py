"""A small configuration with everything in it, and the variables of a sandbox."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.sandbox_process import Sandbox

PUBLIC_KEY = (
    generate_private_key(65537, 2048)
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)

SMALL = """
[ledger]
url = { env = "LEDGER" }

[api]
port = 8080

[[api.tokens]]
name = "portal"
role = "portal"
token = { env = "TOKEN" }

[mail]
host = "smtp.example.com"
password = { env = "PASSWORD" }
operators = ["ops@example.com"]

[systems.shop]
kind = "magento"
url = "https://shop.example.com"
auth = "bearer"
access_token = { env = "SHOP" }

[systems.erp]
kind = "financialforce"

[systems.erp.salesforce]
login_url = "https://acme.my.salesforce.com"
client_id = "id"
client_secret = { file = "org.secret" }

[systems.erp.bank_accounts]
EUR = "Bank"

[systems.pay]
kind = "juston"
tenant = "acme"
api_token = { env = "PAY" }

[systems.pay.salesforce]
login_url = "https://acme.my.salesforce.com"
client_id = "id"
client_secret = { file = "org.secret" }

[store_defaults]
storefront = "shop"
erp = "erp"
payments = "pay"
billing = "pay"

[stores.de]
payment_hours = 2

[stores.de-AT]

[stores.de.portal]
url = "https://portal.example.com/events"
secret = { env = "PORTAL" }
"""

ENVIRONMENT = {
    "LEDGER": "postgresql://holdfast:hunter2@localhost/holdfast",
    "TOKEN": "a-token-of-24-characters-",
    "PASSWORD": "hunter2-mail",
    "SHOP": "hunter2-shop",
    "PAY": "hunter2-pay",
    "PORTAL": "hunter2-portal",
}


def sandbox_environment(sandbox: Sandbox) -> dict[str, str]:
    """What `starter.py up` sets for the shipped configuration."""
    systems: dict[str, Any] = sandbox.systems()
    shop, org, pay = (systems[name]["credentials"] for name in ("magento", "salesforce", "juston"))
    host, _, port = sandbox.url("mail-smtp").rpartition(":")
    return {
        "HOLDFAST_LEDGER_URL": "postgresql://127.0.0.1/holdfast",
        "HOLDFAST_PORTAL_TOKEN": "portal-token-of-24-characters",
        "HOLDFAST_OPERATOR_TOKEN": "operator-token-of-24-characters",
        "SANDBOX_MAGENTO_URL": sandbox.url("magento"),
        "SANDBOX_MAGENTO_CONSUMER_KEY": shop["consumer_key"],
        "SANDBOX_MAGENTO_CONSUMER_SECRET": shop["consumer_secret"],
        "SANDBOX_MAGENTO_ACCESS_TOKEN": shop["access_token"],
        "SANDBOX_MAGENTO_ACCESS_TOKEN_SECRET": shop["access_token_secret"],
        "SANDBOX_MAGENTO_WEBHOOK_PUBLIC_KEY": shop["webhook_public_key"],
        "SANDBOX_SALESFORCE_URL": sandbox.url("salesforce"),
        "SANDBOX_SALESFORCE_CLIENT_ID": org["client_id"],
        "SANDBOX_SALESFORCE_CLIENT_SECRET": org["client_secret"],
        "SANDBOX_JUSTON_URL": sandbox.url("juston"),
        "SANDBOX_JUSTON_TENANT": pay["tenant"],
        "SANDBOX_JUSTON_TOKEN": pay["token"],
        "SANDBOX_CARRIER_URL": sandbox.url("carrier"),
        "SANDBOX_CARRIER_TOKEN": systems["carrier"]["credentials"]["token"],
        "SANDBOX_NOTIFY_SECRET": "notify-secret",
        "SANDBOX_MAIL_HOST": host,
        "SANDBOX_MAIL_PORT": port,
    }
