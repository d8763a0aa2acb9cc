"""Every kind of mistake is told with file, key, value and what is allowed; no secret is shown while telling it."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from settings.load import ConfigError, load
from settings.model import Settings, Store
from tests.settings.sample import ENVIRONMENT, SMALL


def write(folder: Path, text: str = SMALL) -> Path:
    (folder / "org.secret").write_text("hunter2-org\n")
    file = folder / "holdfast.toml"
    file.write_text(text)
    return file


def problems_of(file: Path, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(file, ENVIRONMENT if environment is None else environment)
    told = str(caught.value)
    assert told.splitlines() == [f"{file}: {problem}" for problem in caught.value.problems]
    assert "hunter2" not in told
    return caught.value.problems


@dataclass(frozen=True)
class Mistake:
    """`instead` of `text` stands in the file; `told` is the whole list of problems."""

    text: str
    instead: str
    told: list[str]
    environment: dict[str, str | None] = field(default_factory=dict)


STORE_FIELDS = ", ".join(sorted(Store.model_fields))
TOP_FIELDS = ", ".join(sorted(Settings.model_fields))
MISTAKES = {
    "misspelt in a store": Mistake(
        "payment_hours = 2",
        "payment_hour = 2",
        [f"stores.de.payment_hour: is not a setting; did you mean payment_hours? allowed: {STORE_FIELDS}"],
    ),
    "misspelt in the defaults, told once and where it stands": Mistake(
        '[store_defaults]\nstorefront = "shop"',
        '[store_defaults]\nstore_front = "shop"',
        [f"store_defaults.store_front: is not a setting; did you mean storefront? allowed: {STORE_FIELDS}"],
    ),
    "misspelt in the ledger": Mistake(
        'url = { env = "LEDGER" }',
        'url = { env = "LEDGER" }\npool = 3',
        ["ledger.pool: is not a setting; allowed: url"],
    ),
    "misspelt at the top": Mistake(
        "[mail]",
        "[mails]",
        [f"mails: is not a setting; did you mean mail? allowed: {TOP_FIELDS}"],
    ),
    "a window that cannot be read": Mistake(
        "[systems.erp]\n",
        '[systems.erp]\nwrite_windows = ["Mon-Fry 20:00-06:00"]\n',
        [
            "systems.erp.write_windows: 'Mon-Fry 20:00-06:00': 'Mon-Fry' is no weekday; allowed: Mon, Tue, Wed, Thu, "
            "Fri, Sat, Sun, daily"
        ],
    ),
    "a zone that is none": Mistake(
        "[systems.erp]\n",
        '[systems.erp]\nwrite_windows_zone = "Berlin"\n',
        [
            "systems.erp.write_windows_zone: 'Berlin' is not allowed: 'Berlin' is no time zone; use a name such as "
            "Europe/Berlin"
        ],
    ),
    "a chat room that nobody knows": Mistake(
        "[systems.shop]",
        '[notices]\nurls = [{ env = "PASSWORD" }]\n\n[systems.shop]',
        ["notices.urls: 0: not an address that Apprise can read; its pages list how each is written"],
    ),
    "misspelt in a list": Mistake(
        'role = "portal"',
        'role = "portal"\nstore = ["de"]',
        ["api.tokens.0.store: is not a setting; did you mean stores? allowed: name, role, stores, token"],
    ),
    "misspelt deep in a system": Mistake(
        'client_id = "id"\nclient_secret = { file = "org.secret" }\n\n[systems.erp.bank',
        'client_id = "id"\nclient_secrets = { file = "org.secret" }\n\n[systems.erp.bank',
        [
            "systems.erp.salesforce.client_secrets: is not a setting; did you mean client_secret? allowed: "
            "api_version, audience, auth, client_id, client_secret, login_url, private_key, private_key_file, "
            "settled_after_seconds, timeout_seconds, username"
        ],
    ),
    "a wrong kind": Mistake(
        'kind = "magento"',
        'kind = "shopify"',
        ["systems.shop.kind: 'shopify' is not allowed; allowed: carrier, financialforce, juston, magento"],
    ),
    "a kind that is no text": Mistake(
        'kind = "magento"',
        "kind = [1]",
        ["systems.shop.kind: [1] is not allowed; allowed: carrier, financialforce, juston, magento"],
    ),
    "no kind": Mistake(
        'kind = "magento"\n',
        "",
        ["systems.shop.kind: is missing; allowed: carrier, financialforce, juston, magento"],
    ),
    "a role that the kind cannot fill": Mistake(
        'payments = "pay"',
        'payments = "erp"',
        ["stores.de.payments: 'erp' is a financialforce and cannot fill this role; allowed: pay"],
    ),
    "a system that is not there": Mistake(
        'erp = "erp"',
        'erp = "sage"',
        ["stores.de.erp: 'sage' is not a configured system; allowed: erp, pay, shop"],
    ),
    "a variable that is not set": Mistake(
        "",
        "",
        ["ledger.url: environment variable LEDGER is not set; set it, or write the value another way"],
        {"LEDGER": None},
    ),
    "an empty secret": Mistake("", "", ["systems.shop: access_token is missing: auth bearer needs it"], {"SHOP": ""}),
    "an empty password": Mistake(
        "", "", ["mail.password: is empty; a secret has a value, or is left out"], {"PASSWORD": ""}
    ),
    "a secret in the file": Mistake(
        'token = { env = "TOKEN" }',
        'token = "hunter2-hunter2-hunter2-hunter2"',
        ['api.tokens.0.token: a secret does not stand in the file; write { env = "NAME" } or { file = "path" }'],
    ),
    "a secret of a system in the file": Mistake(
        'access_token = { env = "SHOP" }',
        'access_token = "hunter2"',
        ['systems.shop.access_token: a secret does not stand in the file; write { env = "NAME" } or { file = "path" }'],
    ),
    "a secret of a store in the file": Mistake(
        'secret = { env = "PORTAL" }',
        'secret = "hunter2"',
        ['stores.de.portal.secret: a secret does not stand in the file; write { env = "NAME" } or { file = "path" }'],
    ),
    "a wrong type": Mistake(
        "port = 8080",
        'port = "often"',
        ["api.port: 'often' is not allowed: Input should be a valid integer, unable to parse string as an integer"],
    ),
    "out of range": Mistake(
        "payment_hours = 2",
        "payment_hours = -1",
        ["stores.de.payment_hours: -1 is not allowed: Input should be greater than 0"],
    ),
    "a default out of range": Mistake(
        'erp = "erp"',
        'erp = "erp"\ngive_up_days = 900',
        ["store_defaults.give_up_days: 900 is not allowed: Input should be less than or equal to 90"],
    ),
    "a token that is too short": Mistake(
        "", "", ["api.tokens.0.token: must have at least 24 characters"], {"TOKEN": "hunter2"}
    ),
    "another database": Mistake(
        "",
        "",
        ["ledger.url: must begin with postgresql://; no other database is supported"],
        {"LEDGER": "mysql://hunter2@localhost/x"},
    ),
    "a role that nobody has": Mistake(
        'role = "portal"',
        'role = "root"',
        ["api.tokens.0.role: 'root' is not allowed: Input should be 'portal', 'operator' or 'approver'"],
    ),
    "a token for an unknown store": Mistake(
        'role = "portal"',
        'role = "portal"\nstores = ["fr"]',
        ["api.tokens.0.stores: 'fr' is not a configured store; allowed: de, de-AT"],
    ),
    "two tokens of one name": Mistake(
        "[mail]",
        '[[api.tokens]]\nname = "portal"\nrole = "approver"\ntoken = { env = "PAY" }\n\n[mail]',
        ["api.tokens: 'portal' is the name of two tokens; decisions would not say whose they are"],
        {"PAY": "hunter2-of-twenty-four-characters"},
    ),
    "one token for two": Mistake(
        "[mail]",
        '[[api.tokens]]\nname = "boss"\nrole = "approver"\ntoken = { env = "TOKEN" }\n\n[mail]',
        ["api.tokens: 'portal' and 'boss' have the same token; give each its own"],
    ),
    "a store code with a separator": Mistake(
        "[stores.de-AT]",
        '[stores."de:AT"]',
        ["stores.de:AT.[key]: 'de:AT' is not allowed: String should match pattern '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$'"],
    ),
    "an unknown zone": Mistake(
        'kind = "financialforce"',
        'kind = "financialforce"\ntime_zone = "Mars/Base"',
        [
            "systems.erp.time_zone: 'Mars/Base' is not allowed: "
            "time_zone 'Mars/Base' is not known; use a name such as Europe/Berlin"
        ],
    ),
    "what a sign-in needs": Mistake(
        'auth = "bearer"',
        'auth = "oauth1"',
        ["systems.shop: consumer_key, consumer_secret, access_token_secret is missing: auth oauth1 needs it"],
    ),
    "a table that is a number": Mistake(
        "", "", ["store_defaults: '5' is not allowed: must be a table"], {"HOLDFAST__STORE_DEFAULTS": "5"}
    ),
    "a system that is a text": Mistake(
        "", "", ["systems.fax: 'yes' is not allowed: must be a table"], {"HOLDFAST__SYSTEMS__FAX": "yes"}
    ),
    "a store that is a text": Mistake("", "", [re.escape("stores.fr: ")], {"HOLDFAST__STORES__FR": "yes"}),
    "an override of nothing": Mistake(
        "",
        "",
        ["api.speed: is not a setting; allowed: answer_within_seconds, host, port, public_url, temporal_ui, tokens"],
        {"HOLDFAST__API__SPEED": "9"},
    ),
    "an override below a value": Mistake(
        "",
        "",
        ["environment variable HOLDFAST__API__PORT__OFTEN: port is neither a table nor a list in the file"],
        {"HOLDFAST__API__PORT__OFTEN": "1"},
    ),
    "an override past the end of a list": Mistake(
        "",
        "",
        ["environment variable HOLDFAST__API__TOKENS__1__NAME: 1 is neither a table nor a list in the file"],
        {"HOLDFAST__API__TOKENS__1__NAME": "x"},
    ),
    "an override in a list without a place": Mistake(
        "",
        "",
        ["environment variable HOLDFAST__API__TOKENS__NEW: new is not an index below 1"],
        {"HOLDFAST__API__TOKENS__NEW": "x"},
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=list(MISTAKES))
def test_a_mistake_is_told(mistake: Mistake, tmp_path: Path) -> None:
    assert mistake.text in SMALL
    environment = {name: value for name, value in {**ENVIRONMENT, **mistake.environment}.items() if value is not None}
    told = problems_of(write(tmp_path, SMALL.replace(mistake.text, mistake.instead, 1)), environment)
    if len(told) == 1 and told[0].startswith("stores.fr: "):
        assert "valid dictionary" in told[0]
    else:
        assert told == mistake.told


def test_a_file_that_is_missing_says_what_to_do(tmp_path: Path) -> None:
    assert problems_of(tmp_path / "none.toml") == [
        "the file is missing; copy holdfast.toml from the project and adapt it"
    ]
    assert problems_of(tmp_path) == ["the file cannot be read: Is a directory"]


def test_a_file_that_is_not_toml_says_where(tmp_path: Path) -> None:
    [told] = problems_of(write(tmp_path, SMALL + "\nport 80\n"))
    assert told.startswith("this is not TOML: ")
    assert f"line {SMALL.count(chr(10)) + 2}" in told


def test_a_file_in_another_encoding_says_so(tmp_path: Path) -> None:
    file = write(tmp_path)
    file.write_bytes("# Größe\n".encode("latin-1"))
    assert problems_of(file) == ["byte 4 is not UTF-8; save the file as UTF-8"]


def test_a_secret_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = write(tmp_path)
    (tmp_path / "org.secret").unlink()
    told = f"file {tmp_path / 'org.secret'} cannot be read: No such file or directory"
    assert problems_of(file) == [f"systems.{name}.salesforce.client_secret: {told}" for name in ("erp", "pay")]


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = SMALL.replace('tenant = "acme"', "").replace("port = 8080", "port = 0").replace("= 2", '= "two"')
    told = problems_of(write(tmp_path, text))
    assert [line.partition(":")[0] for line in told] == ["systems.pay.tenant", "api.port", "stores.de.payment_hours"]


# ---- what is right ---------------------------------------------------------------------------------------------------


def loaded(tmp_path: Path, **overrides: str) -> Settings:
    return load(write(tmp_path), {**ENVIRONMENT, **overrides})


def test_a_store_has_its_own_settings_above_the_defaults(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    assert settings.stores["de"].payment_hours == 2
    assert settings.stores["de-AT"].payment_hours == 24
    assert settings.stores["de-AT"].payments == "pay"
    assert settings.stores["de-AT"].portal is None


def test_a_secret_is_read_from_its_file_without_the_line_end(tmp_path: Path) -> None:
    secret = loaded(tmp_path).systems["erp"].settings.salesforce.client_secret
    assert secret.get_secret_value() == "hunter2-org"


def test_any_setting_can_be_overridden_by_a_variable(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        HOLDFAST__API__PORT="9999",
        HOLDFAST__STORES__DE__PORTAL__URL="http://localhost/x",
        HOLDFAST__STORES__DE_AT__PAYMENT_HOURS="5",
        HOLDFAST__STORE_DEFAULTS__REMIND_HOURS="1",
        HOLDFAST__SYSTEMS__ERP__SALESFORCE__CLIENT_SECRET="other",
        HOLDFAST__SYSTEMS__ERP__BANK_ACCOUNTS__EUR="Other bank",
        HOLDFAST__API__TOKENS__0__NAME="renamed",
        HOLDFAST__MAIL__OPERATORS='["a@example.com", "b@example.com"]',
    )
    assert settings.api.port == 9999
    assert settings.stores["de"].portal is not None
    assert settings.stores["de"].portal.url == "http://localhost/x"
    assert settings.stores["de-AT"].payment_hours == 5
    assert settings.stores["de"].remind_hours == 1
    assert settings.systems["erp"].settings.salesforce.client_secret.get_secret_value() == "other"
    assert settings.systems["erp"].settings.bank_accounts == {"EUR": "Other bank"}
    assert settings.api.tokens[0].name == "renamed"
    assert settings.mail is not None
    assert settings.mail.operators == ("a@example.com", "b@example.com")


def test_an_override_stands_in_for_a_variable_that_is_not_set(tmp_path: Path) -> None:
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "LEDGER"}
    settings = load(write(tmp_path), {**environment, "HOLDFAST__LEDGER__URL": "postgresql://elsewhere/x"})
    assert settings.ledger.url.get_secret_value() == "postgresql://elsewhere/x"


def test_a_system_may_be_called_env(tmp_path: Path) -> None:
    text = re.sub(r"\[systems\.(shop|erp|pay)", r"[systems.env-\1", SMALL)
    text = text.replace('"shop"', '"env"').replace("[systems.env-shop]", "[systems.env]")
    text = text.replace('erp = "erp"', 'erp = "env-erp"').replace('= "pay"', '= "env-pay"')
    assert sorted(load(write(tmp_path, text), ENVIRONMENT).systems) == ["env", "env-erp", "env-pay"]
    assert problems_of(write(tmp_path, "[systems.env]\nkind = 'fax'\n"))[0].startswith("systems.env.kind: 'fax'")


@pytest.mark.parametrize("hours", ["0.0001", "0.9999"])
def test_a_plan_never_lasts_no_time_at_all(hours: str, tmp_path: Path) -> None:
    plan = loaded(tmp_path, HOLDFAST__STORES__DE__PAYMENT_HOURS=hours).plans()["de"]
    assert plan.entry_lifetime == max(1, round(float(hours) * 3600))
