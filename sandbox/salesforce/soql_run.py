"""Run a parsed query against the org: which rows, in which order, shown how."""

from collections.abc import Callable, Sequence
from typing import Any

from sandbox.salesforce.describe import filterable
from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import Org
from sandbox.salesforce.schema import Described, Doc
from sandbox.salesforce.soql_parse import Aggregate, Compare, FieldSet, Logic, Order, Path, Query, malformed
from sandbox.salesforce.soql_rows import Step, View, aggregate, comparison, condition, indexed

MOST_OFFSET = 2000
MOST_FIELDS_ROWS = 200


class Run:
    """One query over one org. `deleted` also sees the recycle bin (queryAll)."""

    def __init__(self, org: Org, query: Query, root: str, deleted: bool = False) -> None:
        described = org.described(query.source)
        if described is None:
            raise SalesforceError(
                "INVALID_TYPE",
                f"sObject type '{query.source}' is not supported. If you are attempting to use a custom object, be "
                "sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for "
                "the appropriate names.",
            )
        self.org, self.query, self.root, self.object = org, query, root, described
        self._deleted = deleted or query.all_rows
        self.counts_only = query.items == (Aggregate("COUNT", ""),) and not query.group
        self.aggregates = bool(query.group) or any(isinstance(item, Aggregate) for item in query.items)
        self._columns: list[Step] = []
        self._children: list[tuple[str, Run]] = []
        if query.offset > MOST_OFFSET:
            raise SalesforceError("NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {MOST_OFFSET}")
        self._test = (
            condition(org, described, query.alias, query.where, self._inner) if query.where is not None else None
        )
        if not self.aggregates:
            self._choose()

    # --- what to show --------------------------------------------------------------------------------------------

    def _choose(self) -> None:
        seen: set[tuple[str, ...]] = set()
        for item in self.query.items:
            if isinstance(item, Query):
                self._children.append(self._child(item))
                continue
            steps = self._set(item) if isinstance(item, FieldSet) else [self._step(item.name)]
            for step in steps:
                if step.names in seen and not isinstance(item, FieldSet):
                    raise malformed(f"duplicate field selected: {item.name}")
                seen.add(step.names)
                self._columns.append(step)
        if self.query.group:
            raise malformed("Grouped query must have an aggregate")

    def _set(self, item: FieldSet) -> list[Step]:
        if item.kind != "STANDARD" and (self.query.limit is None or self.query.limit > MOST_FIELDS_ROWS):
            raise malformed(f"The SOQL FIELDS function must have a LIMIT of at most {MOST_FIELDS_ROWS}")
        return [
            self._step(column.name)
            for column in self.object.fields
            if item.kind == "ALL" or column.name.endswith("__c") == (item.kind == "CUSTOM")
        ]

    def _step(self, path: str) -> Step:
        return Step(self.org, self.object, path, self.query.alias)

    def _child(self, inner: Query) -> tuple[str, "Run"]:
        """A sub-select over a child relationship: its run, and the reference that leads back here."""
        for child, column in self.org.references_to(self.object.name):
            if (column.child_relationship or "").lower() == inner.source.lower():
                if any(isinstance(item, Query) for item in inner.items):
                    raise malformed("only one level of sub-selects is supported")
                renamed = Query(
                    inner.text,
                    inner.items,
                    child.name,
                    inner.alias,
                    inner.where,
                    inner.group,
                    inner.having,
                    inner.order,
                    inner.limit,
                    inner.offset,
                )
                run = Run(self.org, renamed, self.root, self._deleted)
                run.linked_by = (str(column.child_relationship), column.name)
                return column.name, run
        raise SalesforceError(
            "INVALID_TYPE",
            f"Didn't understand relationship '{inner.source}' in FROM part of query call. If you are attempting to "
            "use a custom relationship, be sure to append the '__r' after the custom relationship name.",
        )

    linked_by: tuple[str, str] = ("", "")

    @property
    def has_children(self) -> bool:
        return bool(self._children)

    def _inner(self, query: Query) -> list[Any]:
        """The values that a semi-join's inner query selects."""
        if len(query.items) != 1 or not isinstance(query.items[0], Path):
            raise malformed("the inner query of a semi join must select one field")
        run = Run(self.org, query, self.root)
        return [run._columns[0].value(view) for view in run._cut(run._sorted(run._matching(run._candidates())))]

    # --- which rows ----------------------------------------------------------------------------------------------

    def rows(self) -> list[Doc]:
        """The matching rows in order, LIMIT and OFFSET applied."""
        return [view.row() for view in self._cut(self._sorted(self._matching(self._candidates())))]

    def _cut(self, rows: list[Any]) -> list[Any]:
        end = None if self.query.limit is None else self.query.offset + self.query.limit
        return rows[self.query.offset : end]

    def _candidates(self) -> list[View]:
        stored = indexed(self.org, self.object, self.query.where, self.query.alias)
        if stored is None or self._deleted:  # the recycle bin has no index worth using
            stored = self.org.table(self.object.name).values()
        if self._deleted:
            stored = [*stored, *self.org.deleted_table(self.object.name).values()]
        return [View(self.org, self.object, row) for row in stored]

    def _matching(self, rows: Sequence[View]) -> list[View]:
        return [row for row in rows if self._test is None or self._test(row)]

    def _sorted(self, rows: list[View]) -> list[View]:
        for order in reversed(self.query.order):
            if not isinstance(order.by, Path):
                raise malformed("ORDER BY an aggregate needs GROUP BY")
            step = self._step(order.by.name)
            if not filterable(step.column):
                raise SalesforceError("INVALID_FIELD", f"field '{step.column.name}' can not be sorted in a query call")
            rows = _order(rows, order, step.value, fold=step.column.type not in ("id", "reference"))
        return rows

    # --- on the wire ---------------------------------------------------------------------------------------------

    def column_names(self) -> list[str]:
        """The selected columns as dotted paths."""
        return [".".join(step.names) for step in self._columns]

    def shown(self, rows: Sequence[Doc]) -> list[Doc]:
        return [self._show(row) for row in rows]

    def _show(self, row: Doc) -> Doc:
        record = self._frame(self.object, row)
        for step in self._columns:
            here: Doc | None = record
            at: Doc | None = row
            for column, target in step.parents:
                at = self.org.get(target.name, at[column.name]) if at and at.get(column.name) else None
                name = str(column.relationship_name)
                if here is None:
                    break
                if at is None:
                    here[name] = None
                elif here.get(name) is None:
                    here[name] = self._frame(target, at)
                here = here[name]
            if here is not None and at is not None:
                here[step.column.name] = at[step.column.name]
        for field, run in self._children:
            found = run.child_rows(field, row["Id"])
            shown = {"totalSize": len(found), "done": True, "records": run.shown(found)}
            record[run.linked_by[0]] = shown if found else None
        return record

    def child_rows(self, field: str, parent: str) -> list[Doc]:
        stored = self.org.find_stored(self.object, field, parent)
        views = [View(self.org, self.object, row) for row in stored]
        return [view.row() for view in self._cut(self._sorted(self._matching(views)))]

    def _frame(self, described: Described, row: Doc) -> Doc:
        return {"attributes": {"type": described.name, "url": f"{self.root}/sobjects/{described.name}/{row['Id']}"}}

    # --- aggregates ----------------------------------------------------------------------------------------------

    def count(self) -> int:
        return len(self._cut(self._matching(self._candidates())))

    def grouped(self) -> list[Doc]:
        """The AggregateResult rows."""
        keys = [self._step(name) for name in self.query.group]
        groups: dict[tuple[Any, ...], list[View]] = {}
        if not keys:
            groups[()] = []
        for row in self._matching(self._candidates()):
            key = tuple(step.value(row) for step in keys)
            groups.setdefault(tuple(v.lower() if isinstance(v, str) else v for v in key), []).append(row)
        names = {step.names for step in keys}
        for item in self.query.items:
            if isinstance(item, Path) and self._step(item.name).names not in names:
                raise malformed(f"Field must be grouped or aggregated: {item.name}")
            if not isinstance(item, Path | Aggregate):
                raise malformed("only fields and aggregates in a grouped query")
        kept = [rows for rows in groups.values() if self.query.having is None or self._having(self.query.having, rows)]
        for order in reversed(self.query.order):
            kept = _order(kept, order, self._reader(order.by), fold=True)
        return [self._result(rows) for rows in self._cut(kept)]

    def _reader(self, by: Path | Aggregate) -> Callable[[list[View]], Any]:
        return lambda rows: self._of_group(by, rows)

    def _of_group(self, item: Path | Aggregate, rows: list[View]) -> Any:
        if isinstance(item, Path):
            return self._step(item.name).value(rows[0]) if rows else None
        if not item.path:
            return len(rows)
        step = self._step(item.path)
        return aggregate(item.function, step.column, [step.value(row) for row in rows])

    def _having(self, tree: Compare | Logic, rows: list[View]) -> bool:
        if isinstance(tree, Logic):
            parts = [self._having(part, rows) for part in tree.parts]
            return not parts[0] if tree.operator == "NOT" else all(parts) if tree.operator == "AND" else any(parts)
        value = self._of_group(tree.left, rows)
        if isinstance(tree.left, Path):
            return comparison(self.org, self._step(tree.left.name).column, tree.operator, tree.right)(value)
        if tree.right.kind != "number" or value is None:
            return False
        known = tree.right.value
        outcomes = {"=": value == known, "!=": value != known, "<": value < known, ">": value > known}
        return bool((outcomes | {"<=": value <= known, ">=": value >= known})[tree.operator])

    def _result(self, rows: list[View]) -> Doc:
        record: Doc = {"attributes": {"type": "AggregateResult"}}
        unnamed = 0
        for item in self.query.items:
            name = item.alias
            if isinstance(item, Aggregate) and not name:
                name, unnamed = f"expr{unnamed}", unnamed + 1
            record[name or self._step(item.name).column.name] = self._of_group(item, rows)
        return record


def _order(rows: list[Any], order: Order, read: Callable[[Any], Any], fold: bool) -> list[Any]:
    """Sorted by one column; rows without a value come first unless the query says last."""
    read_rows = [(read(row), row) for row in rows]
    empty = [row for value, row in read_rows if value is None]
    known = [pair for pair in read_rows if pair[0] is not None]

    def key(pair: tuple[Any, Any]) -> Any:
        return pair[0].lower() if fold and isinstance(pair[0], str) else pair[0]

    known.sort(key=key, reverse=order.descending)
    ordered = [row for _, row in known]
    return ordered + empty if order.nulls_last else empty + ordered
