"""The card of a version of a dataset: columns, values, provenance, parts, checks, what came of it, and what people are
asked.
"""

import json
from typing import Any

import msgspec

from assay.build.data.column_summary import ColumnSummary, summaries
from assay.build.data.dataset_lineage import VersionUse, dataset_lineage
from assay.record.datasets import DatasetVersion, dataset
from assay.record.store import Store
from assay.steer.cards.document import Document, Fact, Said, Section, Table
from assay.steer.cards.hub_names import hub_licence, hub_name
from assay.steer.cards.texts import DATASET_PARTS, asked, texts_of
from assay.steer.cards.words import day, short

__all__ = ["dataset_card"]

_MOST_VALUES = 20  # columns of more different values may tell people apart: a card that is handed on shows none of them
_SIZES = {
    "n<1K": 10**3,
    "1K<n<10K": 10**4,
    "10K<n<100K": 10**5,
    "100K<n<1M": 10**6,
    "1M<n<10M": 10**7,
    "10M<n<100M": 10**8,
    "100M<n<1B": 10**9,
}
_OPENING = (
    "Written from the records of the store. Values are shown only of columns with few of them. What only people can "
    "say is dated and bears a name; what nobody has said is shown as missing."
)


def dataset_card(store: Store, version: DatasetVersion) -> Document:
    """The card of a version as the records are now."""
    said = texts_of(store, {"dataset": version.name}, store.clock.latest())
    (use,) = dataset_lineage(store, f"{version.name}@{version.hash}").versions
    table = dataset(store, version.hash)
    columns = summaries(table)
    filled = {
        "details": _details(version, use),
        "columns": _columns(columns),
        "collection": Section("collection", "Collection"),
        "people": Section("people", "People and biases"),
        "parts": _parts(store, version),
        "checks": _checks(store, version),
        "uses": _uses(use),
    }
    return Document(
        kind="dataset",
        title=f"Dataset {version.name}",
        about=[Fact("Content", f"SHA-256 {version.hash}")],
        sections=[msgspec.structs.replace(one, asked=asked(DATASET_PARTS, said, key)) for key, one in filled.items()],
        front=_front(version, said, columns),
        opening=_OPENING,
    )


def _details(version: DatasetVersion, use: VersionUse) -> Section:
    facts = [
        Fact("Dataset", version.name, "/datasets"),
        Fact("Rows", f"{version.rows:,}"),
        Fact("Kept", day(version.created)),
        Fact("Columns and types", f"SHA-256 {version.schema_hash}"),
    ]
    facts += [Fact("From", version.source_system)] if version.source_system else []
    facts += [Fact("Licence on record", version.licence)] if version.licence else []
    facts += [Fact("The same content is kept as", ", ".join(use.same_content))] if use.same_content else []
    lacking = [name for name, there in (("where it is from", version.source_system),) if not there]
    return Section("details", "Details", facts=facts, lacking=lacking)


def _columns(columns: list[ColumnSummary]) -> Section:
    rows = []
    for one in columns:
        numeric = one.min is not None
        ends = f"{one.min} to {one.max}, median {one.median}" if numeric else ""
        few = one.distinct is not None and one.distinct <= _MOST_VALUES
        frequent = ", ".join(f"{value.value} ({value.rows:,})" for value in one.most_frequent) if few else ""
        distinct = f"{one.distinct:,}" if one.distinct is not None else "–"
        rows.append([one.name, one.type, f"{one.missing:,}", distinct, ends, frequent])
    headings = ["column", "type", "missing", "different values", "from, to", "most frequent (rows)"]
    return Section("columns", "Columns", tables=[Table("", headings, rows)])


def _parts(store: Store, version: DatasetVersion) -> Section:
    """Splits that the version is a part of."""
    tables = []
    for row in store.query("artifact", {"type": "split"}, order_by=["created", "artifact_id"]):
        content = json.loads(store.blobs.get(row["blob"])) if row["blob"] else {}
        hashes = content.get("hashes", {})
        if version.hash not in hashes.values():
            continue
        sizes: dict[str, int] = content.get("parts", {})
        lines = [
            [part, f"{sizes.get(part, 0):,}", short(hashes[part]), "yes" if hashes[part] == version.hash else "no"]
            for part in sorted(hashes, key=lambda part: (-sizes.get(part, 0), part))
        ]
        tables.append(
            Table(f"Split {row['name']}, {content.get('how', '')}", ["part", "rows", "hash", "of this card"], lines)
        )
    return Section("parts", "Splits", tables=tables, lacking=[] if tables else ["splits that it is a part of"])


def _checks(store: Store, version: DatasetVersion) -> Section:
    """What expectations last found, each once."""
    found: dict[str, list[str]] = {}
    asked_of = {"subject_kind": "dataset", "subject_id": version.hash}
    for row in store.query("test_result", asked_of, order_by=["ts", "id"]):
        detail = json.loads(row["detail"] or "{}")
        name = str(detail.get("name") or row["kind"])
        failing = detail.get("rows")
        count = f"{failing:,}" if isinstance(failing, int) else "–"
        found[name] = [name, row["result"], count, day(row["event_ts"] or row["ts"])]
    table = Table(
        "", ["expectation", "result", "rows that break it", "checked"], [found[name] for name in sorted(found)]
    )
    return Section("checks", "Checks", tables=[table], lacking=[] if found else ["checks of its rows"])


def _uses(use: VersionUse) -> Section:
    rows = [
        [
            f"{one.name} {one.run_id[:8]}",
            "made by" if one.role == "output" else "read by",
            ", ".join(one.models),
            day(one.started),
        ]
        for one in use.runs
    ]
    links = [f"/runs/{one.run_id}" for one in use.runs]
    facts = [Fact("Evaluations on these rows", str(len(use.evaluations)))] if use.evaluations else []
    table = Table("Runs", ["run", "how", "versions that came of it", "when"], rows, links=links)
    return Section("uses", "What came of it", facts=facts, tables=[table] if rows else [])


def _front(version: DatasetVersion, said: dict[str, Said], columns: list[ColumnSummary]) -> dict[str, Any]:
    licence = said["licence"].text if "licence" in said else version.licence
    size = next((word for word, least in _SIZES.items() if version.rows < least), "1B<n<10B")
    features = [{"name": one.name, "dtype": one.type} for one in columns]
    return {
        **hub_licence(licence),
        "pretty_name": version.name,
        "size_categories": [size],
        "tags": ["assay", hub_name(f"sha256-{version.hash[:12]}")],
        "dataset_info": {"features": features, "splits": [{"name": "all", "num_examples": version.rows}]},
    }
