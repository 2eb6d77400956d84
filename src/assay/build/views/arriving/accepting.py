"""Rows are looked at before they are taken in: a view's checks. What breaks one that stops is refused."""

import msgspec
import pyarrow as pa

from assay.build.data.checks import check_results
from assay.build.views.declared.history import ARRIVAL, ARRIVED, CREATED, TS
from assay.build.views.declared.view import FeatureView
from assay.build.views.registry.registered import ViewVersion
from assay.errors import InvalidInput
from assay.record.canonical import canonical_json
from assay.record.identity import ordered_id
from assay.record.store import Store

__all__ = ["Acceptance"]


class _Found(msgspec.Struct):
    kind: str
    result: str
    rows: int
    detail: str


class Acceptance:
    """The checks of a view, over the batches of one run, each by itself; `record` keeps what they found in all."""

    def __init__(self, store: Store, version: ViewVersion, view: FeatureView) -> None:
        self.store, self.version, self.view = store, version, view
        self._found: dict[str, _Found] = {}

    def accept(self, rows: pa.Table) -> None:
        """Check rows in the one form. InvalidInput where they break a check that stops; this is recorded."""
        if not self.view.checks:
            return
        now = self.store.clock.latest()
        results = check_results(_as_declared(self.view, rows), self.view.checks, now=now, store=self.store)
        for one in results:
            found = self._found.setdefault(one.name, _Found(one.kind, "pass", 0, ""))
            found.rows += one.failing_rows
            if one.result != "pass":
                found.result, found.detail = one.result, one.detail
        failed = next((one for one in results if one.result == "fail"), None)
        if failed is not None:
            self.record()
            many = f"{failed.failing_rows:,} of {rows.num_rows:,} rows"
            raise InvalidInput(
                f"{many} for {self.version.reference} break {failed.name!r}: {failed.detail}",
                expected="rows that keep to the checks of the view",
                hint="mend the rows, or let the check warn",
            )

    def record(self) -> None:
        """Keep what the checks have found so far as test results about the version of the view."""
        rows = [
            {
                "id": ordered_id(),
                "subject_kind": "feature_view",
                "subject_id": self.version.reference,
                "tag": "D1",
                "kind": found.kind,
                "result": found.result,
                "mode": "auto",
                "detail": canonical_json({"name": name, "rows": found.rows, "found": found.detail}),
            }
            for name, found in self._found.items()
        ]
        self._found.clear()
        if rows:
            self.store.append_many("test_result", rows)


def _as_declared(view: FeatureView, rows: pa.Table) -> pa.Table:
    """The rows with the names that the view was declared with, its times as times."""
    known = {TS: view.time, CREATED: view.created}
    columns = {}
    for name in rows.column_names:
        if name in known:
            if (called := known[name]) is not None:
                columns[called] = rows[name].cast(pa.timestamp("us", "UTC"))
        elif name not in (ARRIVAL, ARRIVED):
            columns[name] = rows[name]
    return pa.table(columns)
