"""Cross-references: which documents stand in which system for an order."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.ledger import tables as t
from commerce.documents import Document, DocumentKind
from commerce.money import Money


async def put_documents(db: AsyncConnection, order_key: str, documents: Iterable[Document]) -> None:
    for document in documents:
        row: dict[str, Any] = {
            "order_key": order_key,
            "kind": document.kind.value,
            "system": document.system,
            "document_id": document.id,
            "number": document.number,
            "key": document.key,
            "amount_minor": document.amount.minor if document.amount else None,
            "currency": document.amount.currency if document.amount else None,
            "status": document.status,
        }
        place = ["system", "kind", "document_id", "order_key"]
        await db.execute(
            insert(t.documents)
            .values(row)
            .on_conflict_do_update(index_elements=place, set_={"status": document.status, "number": document.number})
        )


async def documents_of(db: AsyncConnection, order_key: str, kinds: Iterable[DocumentKind]) -> tuple[Document, ...]:
    """The order's documents of these kinds, in the order in which they were kept."""
    wanted = [kind.value for kind in kinds]
    query = select(t.documents).where(t.documents.c.order_key == order_key, t.documents.c.kind.in_(wanted))
    rows = (await db.execute(query.order_by(t.documents.c.id))).mappings()
    return tuple(_document(row) for row in rows)


def _document(row: Mapping[Any, Any]) -> Document:
    amount = Money(minor=row["amount_minor"], currency=row["currency"]) if row["currency"] else None
    return Document(
        kind=DocumentKind(row["kind"]),
        system=row["system"],
        id=row["document_id"],
        number=row["number"],
        key=row["key"],
        amount=amount,
        status=row["status"],
    )
