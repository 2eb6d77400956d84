"""Splitting a table: what is learned from, what is chosen on and what is judged on have no row in common."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.data import columns, split_methods
from assay.build.data.split_hashes import codes_of, names_of
from assay.build.data.split_times import Moment, Moments, Span
from assay.errors import InvalidInput, nearest
from assay.record import tables
from assay.record.canonical import canonical_json, digest
from assay.record.clock import iso
from assay.record.datasets import DatasetVersion, snapshot
from assay.record.identity import new_id
from assay.record.store import Store
from assay.record.tracking.runs import current_run

__all__ = ["How", "Split", "split", "split_by_time"]

How = Literal["random", "stratified", "group", "time", "entity"]
_NEEDS: dict[str, tuple[str, ...]] = {
    "random": (),
    "stratified": ("label",),
    "group": ("group",),
    "time": ("time",),
    "entity": ("group", "time"),
}


class Split:
    """Parts of a table by name, in order: `split.train`, `split["tune"]`, or `train, test = split`.

    `indices` are the places of each part's rows in the table, ascending. `description` says in plain values how the
    table was split and into how many rows; `left_out` are rows in no part. Prints as one line a part.
    """

    def __init__(
        self, table: pa.Table, indices: Mapping[str, NDArray[np.int64]], description: Mapping[str, object]
    ) -> None:
        self.indices = dict(indices)
        self.left_out = table.num_rows - sum(len(rows) for rows in indices.values())
        self.description = {
            **description,
            "parts": {name: len(rows) for name, rows in indices.items()},
            "left_out": self.left_out,
        }
        self._tables = {name: table.take(pa.array(rows)) for name, rows in indices.items()}

    @property
    def names(self) -> list[str]:
        """The names of the parts."""
        return list(self.indices)

    @property
    def train(self) -> pa.Table:
        """The part `train`."""
        return self["train"]

    @property
    def validation(self) -> pa.Table:
        """The part `validation`."""
        return self["validation"]

    @property
    def test(self) -> pa.Table:
        """The part `test`."""
        return self["test"]

    def __getitem__(self, name: str) -> pa.Table:
        if name not in self._tables:
            close = nearest(name, self.names)
            raise InvalidInput(
                f"the split has no part {name!r}",
                expected=", ".join(self.names),
                hint=f"did you mean {close!r}?" if close else None,
            )
        return self._tables[name]

    def __iter__(self) -> Iterator[pa.Table]:
        return iter(self._tables.values())

    def __len__(self) -> int:
        return len(self._tables)

    def __str__(self) -> str:
        total = sum(len(rows) for rows in self.indices.values()) + self.left_out
        counts = {**{name: len(rows) for name, rows in self.indices.items()}, "left out": self.left_out}
        said = [f"{name}: {rows:,} rows ({rows / total:.1%})" for name, rows in counts.items() if rows or name in self]
        return "\n".join(said)

    __repr__ = __str__

    def __contains__(self, name: object) -> bool:
        return name in self._tables

    def record(self, store: Store, name: str) -> dict[str, DatasetVersion]:
        """Keep each part as the dataset `NAME-PART`, and how they came to be as an artifact of type `split`.

        Inside a run they are its outputs. The same split again is the same versions.
        """
        kept = {part: snapshot(store, f"{name}-{part}", table) for part, table in self._tables.items()}
        content = {**self.description, "hashes": {part: version.hash for part, version in kept.items()}}
        row = {"type": "split", "name": name, "hash": digest(content)}
        known = store.query("artifact", row, limit=1)
        artifact_id = known[0]["artifact_id"] if known else new_id()
        if not known:
            blob = store.blobs.put(canonical_json(content).encode())
            created = iso(store.clock.now())
            store.append(
                "artifact", {**row, "artifact_id": artifact_id, "blob": blob, "format": "json", "created": created}
            )
        run = current_run(store)
        if run is not None:
            run.makes(artifact_id, name)
            for version in kept.values():
                run.makes(version.artifact_id, version.name)
        return kept


def split(
    data: object,
    how: How = "random",
    *,
    test: float = 0.2,
    validation: float = 0.0,
    parts: Mapping[str, float] | None = None,
    label: str | None = None,
    by: str | Sequence[str] = (),
    key: str | Sequence[str] = (),
    group: str | Sequence[str] = (),
    time: str | None = None,
    cuts: Sequence[Moment] = (),
    gap: Span | None = None,
    seed: int = 0,
) -> Split:
    """Split a table into `train`, `test` and, where it has a share, `validation`; or into `parts` by name and share.

    * "random": each row by itself;
    * "stratified": the same shares of each value of the `label`, and of each combination with the columns `by`;
    * "group": rows that agree in the columns `group` (a patient, a customer) stay together;
    * "time": earlier rows train, later ones test, cut at shares of the rows or at the moments `cuts`. Rows of one
      moment stay together; `gap` leaves out the rows that lie less than that before a later part;
    * "entity": both: other groups, and later. Only rows whose group and time agree on the part are kept.

    Parts are drawn by a hash of the seed and of `key`, the columns that tell rows apart, or of the groups: the same on
    every machine and in every order of rows, and rows added later move no other (stratified, a few across the border,
    which keeps the shares exact). Without a key the place in the table counts. Shares by hash are met nearly.

    `label` is checked wherever it is given. InvalidInput for shares that do not add up, an empty part, fewer groups
    than parts, a label that is constant or absent in the table or a part, and options that `how` does not read.
    """
    table = tables.as_table(data)
    shares = _shares(test, validation, parts)
    given = {"label": label, "group": names_of(group), "time": time}
    _check(how, given, {"by": by, "key": key, "cuts": cuts, "gap": gap})
    if table.num_rows < len(shares):
        raise InvalidInput(
            f"the table has {table.num_rows} rows", expected=f"at least {len(shares)}, one for each part"
        )
    names = list(shares)
    if label is not None:
        _check_label(table, label)
    groups = names_of(group)
    if how == "random":
        codes = split_methods.random(table, shares, names_of(key), seed)
    elif how == "stratified":
        codes = split_methods.stratified(table, shares, names_of(key), [str(label), *names_of(by)], seed)
    elif how == "group":
        codes = split_methods.grouped(table, shares, groups, seed)
    else:
        codes = split_methods.timed(Moments(table, str(time)), shares, cuts, gap)
        if how == "entity":
            same = codes == split_methods.grouped(table, shares, groups, seed)
            codes = np.where(same, codes, split_methods.LEFT_OUT)
    indices = {name: np.flatnonzero(codes == place) for place, name in enumerate(names)}
    options = {"label": label, "by": names_of(by), "key": names_of(key), "group": groups, "time": time}
    made = Split(
        table,
        indices,
        {
            "how": how,
            "shares": shares,
            **{name: value for name, value in options.items() if value},
            **({"cuts": [str(cut) for cut in cuts]} if cuts else {}),
            **({"gap": str(gap)} if gap is not None else {}),
            **({} if how == "time" else {"seed": seed}),
        },
    )
    _check_parts(made, how, label)
    return made


def split_by_time(table: pa.Table, column: str, cuts: Sequence[datetime]) -> list[pa.Table]:
    """The parts of a table between ascending moments: len(cuts) - 1 tables, each [cut, next cut).

    Rows outside the first and the last cut, or without a time, are in no part. Times without a zone and dates are read
    as UTC. InvalidInput for an empty part, and for a column that is missing or holds no times.
    """
    if len(cuts) < 2 or any(later <= earlier for earlier, later in pairwise(cuts)):
        raise InvalidInput(f"cuts are {[str(cut) for cut in cuts]}", expected="two or more ascending moments")
    if any(cut.tzinfo is None for cut in cuts):
        raise InvalidInput("a cut has no time zone", expected="aware datetimes")
    times = columns.column(table, column)
    if not pa.types.is_temporal(times.type) or pa.types.is_time(times.type) or pa.types.is_duration(times.type):
        raise InvalidInput(f"column {column!r} is of type {times.type}", expected="a column of times")
    if not pa.types.is_timestamp(times.type) or times.type.unit in ("s", "ms"):  # a cut may be finer than they are
        times = times.cast(pa.timestamp("us", getattr(times.type, "tz", None)))
    parts = []
    for start, end in pairwise(cuts):
        low, high = (pa.scalar(cut, times.type) for cut in (start, end))
        part = table.filter(pc.and_(pc.greater_equal(times, low), pc.less(times, high)))
        if part.num_rows == 0:
            raise InvalidInput(f"no rows of {column!r} lie from {start} to {end}", hint="choose other cuts")
        parts.append(part)
    return parts


def _shares(test: float, validation: float, parts: Mapping[str, float] | None) -> dict[str, float]:
    """The parts in order of time, with what share of the rows each is to have."""
    if parts is None:
        rest = round(1.0 - test - validation, 12)
        shares = {"train": rest, **({"validation": validation} if validation else {}), "test": test}
    else:
        shares = dict(parts)
    if len(shares) < 2 or not all(0 < share < 1 for share in shares.values()):
        said = ", ".join(f"{name} {share:g}" for name, share in shares.items())
        raise InvalidInput(f"the shares are {said}", expected="two parts or more, each between 0 and 1")
    if abs(sum(shares.values()) - 1.0) > 1e-9:
        raise InvalidInput(f"the shares add up to {sum(shares.values()):g}", expected="1")
    return shares


def _check(how: str, columns_given: Mapping[str, object], options: Mapping[str, object]) -> None:
    """Refuse what is missing, and what would silently be of no effect."""
    if how not in _NEEDS:
        close = nearest(how, list(_NEEDS))
        rolling = "rolling_splits makes one split after the other" if how.startswith("roll") else None
        raise InvalidInput(
            f"there is no split {how!r}",
            expected=", ".join(_NEEDS),
            hint=rolling or (f"did you mean {close!r}?" if close else None),
        )
    for name in _NEEDS[how]:
        if not columns_given[name]:
            raise InvalidInput(f"{name}= is not given, and the split {how!r} needs it", expected="the name of a column")
    reads = {
        *_NEEDS[how],
        "label",
        *(["key"] if how in ("random", "stratified") else []),
        *(["by"] if how == "stratified" else []),
        *(["cuts", "gap"] if how in ("time", "entity") else []),
    }
    for name, value in {**columns_given, **options}.items():
        if value and name not in reads:
            users = [one for one, needed in _NEEDS.items() if name in needed] or {
                "by": ["stratified"],
                "key": ["random", "stratified"],
            }.get(name, ["time", "entity"])
            raise InvalidInput(f"the split {how!r} does not read {name}=", hint=f"{name}= is for {' and '.join(users)}")


def _check_label(table: pa.Table, label: str) -> None:
    values = columns.column(table, label)
    if values.null_count == len(values):
        raise InvalidInput(f"no row has a label in {label!r}", expected="a label in most rows")
    distinct = pc.unique(values.drop_null())
    if len(distinct) == 1:
        raise InvalidInput(
            f"every label in {label!r} is {distinct[0].as_py()!r}",
            expected="several labels",
            hint="is the right column named, and were the rows chosen by their outcome?",
        )


def _check_parts(made: Split, how: str, label: str | None) -> None:
    for name, rows in made.indices.items():
        if not len(rows):
            cause = {"group": "no group fell into it", "entity": "no row is of its groups and of its time"}.get(how)
            raise InvalidInput(
                f"the part {name!r} has no rows" + (f": {cause}" if cause else ""),
                expected="rows in every part",
                hint="a larger share, or another seed" if how != "time" else "a larger share, or other cuts",
            )
    if label is None:
        return
    if how == "stratified":
        _check_classes(made, label)
    for name, part in zip(made.names, made, strict=True):
        found = pc.unique(columns.column(part, label).drop_null())
        if len(found) < 2:
            only = f"is {found[0].as_py()!r} in every row" if len(found) else "is absent"
            raise InvalidInput(
                f"the label {label!r} {only} of the part {name!r}",
                expected="several labels in every part",
                hint="a larger share, another seed, or how='stratified'",
            )


def _check_classes(made: Split, label: str) -> None:
    known: list[str] | None = None
    for name, part in zip(made.names, made, strict=True):
        classes = codes_of(part, [label])[1].column(0).to_pylist()
        if known is not None and (absent := set(known) ^ set(classes)):
            raise InvalidInput(
                f"the label {min(absent)!r} of {label!r} is in too few rows for every part",
                where=f"the part {name!r}",
                expected=f"at least {len(made)} rows of each label",
                hint="a label of numbers is stratified by a column of bins",
            )
        known = classes
