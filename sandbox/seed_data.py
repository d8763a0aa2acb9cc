"""The seed world that every stand-in loads its own view of: stores, articles, customers. One place for all to agree."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Store:
    """A Magento website with one store view. `decimals` are those of ISO 4217."""

    code: str
    website_id: int
    store_id: int
    name: str
    currency: str
    decimals: int
    base_currency: str
    base_rate: Decimal  # order currency units for one unit of the base currency
    country: str
    locale: str
    tax_percent: Decimal


STORES = (
    Store("de", 1, 1, "Nordlicht Deutschland", "EUR", 2, "EUR", Decimal("1"), "DE", "de_DE", Decimal("19")),
    Store("us", 2, 2, "Northern Light US", "USD", 2, "EUR", Decimal("1.08"), "US", "en_US", Decimal("8.875")),
    Store("jp", 3, 3, "ノルトリヒト", "JPY", 0, "EUR", Decimal("162.5"), "JP", "ja_JP", Decimal("10")),
    Store("kw", 4, 4, "Nordlicht Kuwait", "KWD", 3, "EUR", Decimal("0.332"), "KW", "en_KW", Decimal("0")),
    Store("ch", 5, 5, "Nordlicht Schweiz", "CHF", 2, "EUR", Decimal("0.94"), "CH", "de_CH", Decimal("8.1")),
)


@dataclass(frozen=True)
class Article:
    """An article of the catalog. `net_eur` is the net base price; `in_erp` False: the shop sells what the ERP lacks."""

    sku: str
    name: str
    net_eur: Decimal
    kind: str = "simple"  # simple, virtual, configurable, bundle
    parent: str | None = None  # of a configurable's variant or a bundle's part
    in_erp: bool = True
    separately: bool = False  # a bundle whose parts leave as they come
    fixed_price: bool = False  # a bundle that costs what it says, not what its parts cost; a kit in the ERP


ARTICLES = (
    Article("HF-1001", "Leselampe Aurora", Decimal("39.50")),
    Article("HF-1002", "Stehlampe „Nordwind“", Decimal("129.00")),
    Article("HF-1003", "LED-Leuchtmittel E27, 6er-Pack", Decimal("17.90")),
    Article("HF-1004", "茶筒 (桜)", Decimal("24.00")),
    Article("HF-1005", "Чайник «Самовар»", Decimal("89.90")),
    Article("HF-1006", "Mug 🫖 limited edition", Decimal("12.75")),
    Article("HF-1007", "Café-Filter, 100 Stück", Decimal("4.99")),
    Article("HF-1008", "Wolldecke Ålesund", Decimal("74.20")),
    Article("HF-2000", "T-Shirt Polar", Decimal("19.90"), kind="configurable"),
    Article("HF-2000-S", "T-Shirt Polar S", Decimal("19.90"), parent="HF-2000"),
    Article("HF-2000-M", "T-Shirt Polar M", Decimal("19.90"), parent="HF-2000"),
    Article("HF-2000-L", "T-Shirt Polar L", Decimal("19.90"), parent="HF-2000"),
    Article("HF-3000", "Frühstücks-Set", Decimal("35.00"), kind="bundle"),
    Article("HF-3000-A", "Teller, 4 Stück", Decimal("20.00"), parent="HF-3000"),
    Article("HF-3000-B", "Becher, 4 Stück", Decimal("15.00"), parent="HF-3000"),
    Article("HF-3100", "Büro-Set", Decimal("42.00"), kind="bundle", separately=True),
    Article("HF-3100-A", "Klemmleuchte", Decimal("30.00"), parent="HF-3100"),
    Article("HF-3100-B", "Kabelbox", Decimal("12.00"), parent="HF-3100"),
    Article("HF-3200", "Kerzen-Kiste", Decimal("29.00"), kind="bundle", fixed_price=True),
    Article("HF-3200-A", "Stumpenkerze, 6 Stück", Decimal("18.00"), parent="HF-3200"),
    Article("HF-3200-B", "Kerzenteller", Decimal("14.00"), parent="HF-3200"),
    Article("HF-4001", "Pflegeanleitung (PDF)", Decimal("3.00"), kind="virtual"),
    Article("HF-9999", "Messemuster, nicht im ERP", Decimal("9.00"), in_erp=False),
)

# Charges that are lines of their own in the ERP and on the invoice.
CHARGE_ITEMS = (
    ("SHIPPING", "Shipping and handling"),
    ("DISCOUNT", "Discount"),
    ("FEE", "Surcharge or fee"),
    ("DUTY", "Customs and duties"),
    ("GIFTCARD", "Gift card"),
    ("STORECREDIT", "Store credit"),
)


@dataclass(frozen=True)
class Company:
    """A company buyer. `number` is its id in the shop; `terms_days` None: prepayment only."""

    number: str
    store: str
    name: str
    email: str
    terms_days: int | None
    city: str
    postcode: str
    street: str
    vat_id: str = ""
    credit_status: str = "Credit Allowed"


COMPANIES = (
    Company(
        "501", "de", "Müller & Söhne GmbH", "einkauf@mueller.example", 30, "Köln", "50667", "Domstraße 1", "DE123456789"
    ),
    Company("502", "de", "Käfer Handels KG", "order@kaefer.example", None, "München", "80331", "Marienplatz 8"),
    Company(
        "503", "us", "Blue Ridge Outfitters, Inc.", "ap@blueridge.example", 45, "Asheville", "28801", "12 Haywood St"
    ),
    Company("504", "jp", "株式会社さくら商事", "kobai@sakura.example", 60, "東京都千代田区", "100-0001", "千代田1-1"),
    Company("505", "ch", "Bergbahn Zermatt AG", "einkauf@bergbahn.example", 30, "Zermatt", "3920", "Bahnhofplatz 7"),
)


@dataclass(frozen=True)
class Consumer:
    """A registered consumer. `number` is the customer id in the shop."""

    number: str
    store: str
    first_name: str
    last_name: str
    email: str
    city: str
    postcode: str
    street: str


CONSUMERS = (
    Consumer("11", "de", "Jörg", "Weiß", "joerg@weiss.example", "Hamburg", "20095", "Mönckebergstraße 3"),
    Consumer("12", "us", "Ana María", "Núñez", "ana@nunez.example", "New York", "10001", "350 5th Ave"),
    Consumer("13", "jp", "花子", "山田", "hanako@yamada.example", "大阪市", "530-0001", "梅田2-4-9"),
    Consumer("14", "kw", "Дмитрий", "Соколов", "dmitri@sokolov.example", "Kuwait City", "13001", "Al Soor St 5"),
    Consumer("15", "ch", "Zoë", "Ångström", "zoe@angstrom.example", "Zürich", "8001", "Bahnhofstrasse 1"),
)

# The accounts in the ERP that stand for consumers and guests of a store; their shop key is `{store}:web`.
WEB_CUSTOMER_NUMBER = "web"
