"""The package's own invoice and its way into the ledger; people start it (act `bill-order`)."""

from sandbox.kernel.world import ActError
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages.accounting_amounts import CURRENCY, INVOICE
from sandbox.salesforce.packages.accounting_objects import TAX_CODE
from sandbox.salesforce.packages.amounts import ZERO, dec, rounded, stored
from sandbox.salesforce.packages.scm_amounts import ITEM, LINE, ORDER, decimals
from sandbox.salesforce.packages.scm_fulfillment import find_order, order_lines
from sandbox.salesforce.packages.scm_shipping_objects import INVOICING, INVOICING_LINE
from sandbox.salesforce.schema import Doc


def bill(org: Org, arguments: Doc) -> Doc:
    """Invoice what is shipped and not billed, export it as a sales invoice (In Progress), close a finished order."""
    order = find_order(org, arguments)
    due = [
        (line, dec(line, "SCMC__Quantity_Shipped__c") - dec(line, "SCMC__Quantity_Billed__c"))
        for line in order_lines(org, order)
    ]
    due = [(line, quantity) for line, quantity in due if quantity > 0]
    if not due:
        raise ActError(f"order: nothing of {order['Name']} is shipped and unbilled")
    first = order["SCMC__Billed_Status__c"] == "Not Billed"
    invoice = org.create(
        INVOICING,
        {
            "SCMC__Sales_Order__c": order["Id"],
            "SCMC__Customer__c": order["SCMC__Customer_Account__c"],
            "SCMC__Billing_Account__c": order["SCMC__Override_Billing_Account__c"]
            or order["SCMC__Customer_Account__c"],
            "SCMC__Invoice_Date__c": org.today(),
            "SCMC__PO_Number__c": order["SCMC__Customer_Purchase_Order__c"],
            "SCMC__Total_Tax__c": order["SCMC__Total_Tax__c"] if first else None,
            "CurrencyIsoCode": order["CurrencyIsoCode"],
        },
        system=True,
    )
    places = decimals(org, order)
    for line, quantity in due:
        org.create(
            INVOICING_LINE,
            {
                "SCMC__Invoicing__c": invoice,
                "SCMC__Item__c": line["SCMC__Item_Master__c"],
                "SCMC__Sales_Order_Line_Item__c": line["Id"],
                "SCMC__Quantity__c": quantity,
                "SCMC__Unit_Price__c": line["SCMC__Price__c"],
                "SCMC__Amount__c": rounded(quantity * dec(line, "SCMC__Price__c"), places),
            },
            system=True,
        )
        billed = dec(line, "SCMC__Quantity_Billed__c") + quantity
        done = billed >= dec(line, "SCMC__Quantity__c")
        new: Doc = {"SCMC__Quantity_Billed__c": billed}
        if done:
            new["SCMC__Status__c"] = "Completed"
        org.update(LINE, line["Id"], new, system=True)
    _settle(org, order)
    _export(org, invoice, order)
    row = stored(org, INVOICING, invoice)
    return {"order": order["Name"], "invoicing": row["Name"], "export_status": row["SCMC__Export_Status__c"]}


def _settle(org: Org, order: Doc) -> None:
    complete = all(line["SCMC__Status__c"] == "Completed" for line in order_lines(org, order))
    new: Doc = {"SCMC__Billed_Status__c": "Completely Billed" if complete else "Partially Billed"}
    if complete and order["SCMC__Shipment_Status__c"] == "Fulfilled":
        new["SCMC__Status__c"] = "Closed"
    org.update(ORDER, order["Id"], new, system=True)


def _tax_code(org: Org, invoice: Doc) -> str | None:
    """The customer's own output tax code, else the first of its country."""
    account = stored(org, "Account", invoice["SCMC__Billing_Account__c"])
    own = account.get("c2g__CODATaxCode1__c") or account.get("c2g__CODAOutputVATCode__c")
    country = f"{account.get('BillingCountry')}-"
    found = [row["Id"] for row in org.all(TAX_CODE) if row["Name"].startswith(country)]
    return own or next(iter(found), None)


def _export(org: Org, invoice_id: str, order: Doc) -> None:
    """A sales invoice (In Progress) with one line for each billed line; the first carries the order's tax."""
    invoice = stored(org, INVOICING, invoice_id)
    currency = org.find(CURRENCY, "Name", order["CurrencyIsoCode"])
    tax = dec(invoice, "SCMC__Total_Tax__c")
    code = _tax_code(org, invoice) if tax else None
    problem = None if currency else f"There is no accounting currency {order['CurrencyIsoCode']}."
    if tax and not code:
        problem = "There is no tax code for the customer or its country."
    if problem:
        failed = {"SCMC__Export_Status__c": "Error", "SCMC__Export_Error__c": problem}
        org.update(INVOICING, invoice_id, failed, system=True)
        return
    document = org.create(
        INVOICE.document,
        {
            "c2g__Account__c": invoice["SCMC__Billing_Account__c"],
            "c2g__InvoiceDate__c": invoice["SCMC__Invoice_Date__c"],
            "c2g__InvoiceCurrency__c": currency[0]["Id"],
            "c2g__DeriveCurrency__c": False,
            "c2g__CustomerReference__c": (order["SCMC__Existing_SO_Number__c"] or order["Name"])[:50],
            "SCMFFA__SCM_Invoice__c": invoice_id,
        },
        system=True,
    )
    for number, line in enumerate(org.find(INVOICING_LINE, "SCMC__Invoicing__c", invoice_id)):
        item = stored(org, ITEM, line["SCMC__Item__c"])
        exported = org.create(
            INVOICE.line,
            {
                INVOICE.parent: document,
                "c2g__Product__c": item.get("SCMC__Product__c"),
                "c2g__Quantity__c": line["SCMC__Quantity__c"],
                "c2g__UnitPrice__c": line["SCMC__Unit_Price__c"] or ZERO,
                "c2g__DeriveUnitPriceFromProduct__c": False,
                "c2g__SetTaxCode1ToDefault__c": False,
                "c2g__DeriveTaxRate1FromCode__c": False,
                "c2g__CalculateTaxValue1FromRate__c": False,
                "c2g__TaxCode1__c": code if number == 0 else None,
                "c2g__TaxValue1__c": tax if number == 0 and tax else None,
                "SCMFFA__SCM_Invoice_Line__c": line["Id"],
            },
            system=True,
        )
        org.update(INVOICING_LINE, line["Id"], {"SCMFFA__Sales_Invoice_Line_Item__c": exported}, system=True)
    done = {
        "SCMC__Export_Status__c": "Exported",
        "SCMFFA__Sales_Invoice__c": document,
        "SCMC__Foreign_Invoice_Number__c": stored(org, INVOICE.document, document)["Name"],
    }
    org.update(INVOICING, invoice_id, done, system=True)
