"""What the demo's buyers know of the shops: stores, articles and people, as the sandbox's demo data set has them."""

from dataclasses import dataclass
from decimal import Decimal

from commerce.money import Money, decimals_of, rounded
from commerce.order import Address, Customer, CustomerKind

BASE_CURRENCY = "EUR"
# FinancialForce's cash entries hold two decimals: prices with a third one would park.
FINEST_DECIMALS = 2


@dataclass(frozen=True)
class Shop:
    """One store. `rate`: order currency units for one unit of the base currency; `tax_parts`: percent by tax code;
    `carrier`: who brings its parcels."""

    code: str
    currency: str
    rate: Decimal
    country: str
    language: str
    tax_parts: tuple[tuple[str, Decimal], ...]
    carrier: str

    @property
    def tax_percent(self) -> Decimal:
        return sum((percent for _, percent in self.tax_parts), Decimal(0))

    def price(self, eur: Decimal) -> Money:
        """A price in the base currency, as this shop shows it."""
        decimals = min(decimals_of(self.currency), FINEST_DECIMALS)
        return rounded(round(eur * self.rate, decimals), self.currency)


SHOPS = {
    shop.code: shop
    for shop in (
        Shop("de", "EUR", Decimal("1"), "DE", "de", (("DE-VAT-19", Decimal("19")),), "DHL"),
        Shop("us", "USD", Decimal("1.08"), "US", "en", (("NY-STATE", Decimal("4")), ("NYC", Decimal("4.875"))), "UPS"),
        Shop("jp", "JPY", Decimal("162.5"), "JP", "ja", (("JP-CT-10", Decimal("10")),), "Yamato"),
        Shop("kw", "KWD", Decimal("0.332"), "KW", "en", (), "Aramex"),
        Shop("ch", "CHF", Decimal("0.94"), "CH", "de", (("CH-VAT-8.1", Decimal("8.1")),), "Swiss Post"),
    )
}


@dataclass(frozen=True)
class Article:
    """An article with its net price in the base currency."""

    sku: str
    name: str
    eur: Decimal


SIMPLE = (
    Article("HF-1001", "Leselampe Aurora", Decimal("39.50")),
    Article("HF-1002", "Stehlampe „Nordwind“", Decimal("129.00")),
    Article("HF-1003", "LED-Leuchtmittel E27, 6er-Pack", Decimal("17.90")),
    Article("HF-1004", "茶筒 (桜)", Decimal("24.00")),
    Article("HF-1005", "Чайник «Самовар»", Decimal("89.90")),
    Article("HF-1006", "Mug 🫖 limited edition", Decimal("12.75")),
    Article("HF-1007", "Café-Filter, 100 Stück", Decimal("4.99")),
    Article("HF-1008", "Wolldecke Ålesund", Decimal("74.20")),
)
SHIRT = "T-Shirt Polar"
VARIANTS = (
    Article("HF-2000-S", "T-Shirt Polar S", Decimal("19.90")),
    Article("HF-2000-M", "T-Shirt Polar M", Decimal("19.90")),
    Article("HF-2000-L", "T-Shirt Polar L", Decimal("19.90")),
)
BUNDLE = Article("HF-3000", "Frühstücks-Set", Decimal("35.00"))
PARTS = (
    Article("HF-3000-A", "Teller, 4 Stück", Decimal("20.00")),
    Article("HF-3000-B", "Becher, 4 Stück", Decimal("15.00")),
)
LEAFLET = Article("HF-4001", "Pflegeanleitung (PDF)", Decimal("3.00"))
NOT_IN_ERP = Article("HF-9999", "Messemuster, nicht im ERP", Decimal("9.00"))


@dataclass(frozen=True)
class Buyer:
    """Who buys in which shop, and where the goods go."""

    shop: Shop
    customer: Customer
    address: Address


def _buyer(
    store: str, kind: CustomerKind, name: str, email: str, street: str, postcode: str, city: str, number: str = ""
) -> Buyer:
    """`name`: of a person 'First|Last', of a company its name. `number`: the shop's number of either."""
    first, _, last = name.partition("|")
    company = kind is CustomerKind.COMPANY
    customer = Customer(
        kind=kind,
        email=email,
        number="" if company else number,
        first_name="" if company else first,
        last_name=last,
        company_number=number if company else "",
        company_name=name if company else "",
    )
    address = Address(
        first_name=customer.first_name,
        last_name=last,
        company=customer.company_name,
        street=(street,),
        postcode=postcode,
        city=city,
        country=SHOPS[store].country,
    )
    return Buyer(SHOPS[store], customer, address)


_G, _P, _C = CustomerKind.GUEST, CustomerKind.CONSUMER, CustomerKind.COMPANY
GUESTS = (
    _buyer("de", _G, "Kim|Øster", "kim@buyer.example", "Gastweg 7", "10115", "Berlin"),
    _buyer("us", _G, "Siobhán|O’Neill", "siobhan@buyer.example", "9 Beacon St", "02108", "Boston"),
    _buyer("jp", _G, "太郎|佐藤", "taro@buyer.example", "神南1-2-3", "150-0041", "東京都渋谷区"),
    _buyer("kw", _G, "ليلى|الصباح", "layla@buyer.example", "Gulf Rd 21", "15000", "Kuwait City"),
    _buyer("ch", _G, "Noë|Müller-Łuczak", "noe@buyer.example", "Seestrasse 4", "8002", "Zürich"),
)
CONSUMERS = (
    _buyer("de", _P, "Jörg|Weiß", "joerg@weiss.example", "Mönckebergstraße 3", "20095", "Hamburg", "11"),
    _buyer("us", _P, "Ana María|Núñez", "ana@nunez.example", "350 5th Ave", "10001", "New York", "12"),
    _buyer("jp", _P, "花子|山田", "hanako@yamada.example", "梅田2-4-9", "530-0001", "大阪市", "13"),
    _buyer("kw", _P, "Дмитрий|Соколов", "dmitri@sokolov.example", "Al Soor St 5", "13001", "Kuwait City", "14"),
    _buyer("ch", _P, "Zoë|Ångström", "zoe@angstrom.example", "Bahnhofstrasse 1", "8001", "Zürich", "15"),
)
# Companies that may buy on account.
COMPANIES = (
    _buyer("de", _C, "Müller & Söhne GmbH", "einkauf@mueller.example", "Domstraße 1", "50667", "Köln", "501"),
    _buyer(
        "us", _C, "Blue Ridge Outfitters, Inc.", "ap@blueridge.example", "12 Haywood St", "28801", "Asheville", "503"
    ),
    _buyer("jp", _C, "株式会社さくら商事", "kobai@sakura.example", "千代田1-1", "100-0001", "東京都千代田区", "504"),
    _buyer("ch", _C, "Bergbahn Zermatt AG", "einkauf@bergbahn.example", "Bahnhofplatz 7", "3920", "Zermatt", "505"),
)
