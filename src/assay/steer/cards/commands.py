"""`assay card`: cards written, shown, compared and listed."""

from typing import Annotated

import msgspec

from assay.errors import InvalidInput, NotFound
from assay.operation import operation
from assay.record.clock import happened
from assay.record.datasets import DatasetVersion, find_dataset
from assay.record.models.registry import CHAMPION, ModelVersion, alias, find_version, list_models
from assay.record.store import Row, Store
from assay.steer.cards.dataset_card import dataset_card
from assay.steer.cards.difference import differences
from assay.steer.cards.document import Coverage, Document
from assay.steer.cards.files import check_target, write_files
from assay.steer.cards.keeping import CardState, card_rows, card_state, keep_card, kept_document
from assay.steer.cards.markdown import as_markdown
from assay.steer.cards.model_card import model_card
from assay.steer.cards.words import day

__all__ = [
    "CardDifference",
    "ShownCard",
    "WrittenCard",
    "card",
    "diff_cards",
    "keep_dataset_card",
    "keep_model_card",
    "list_cards",
    "show_card",
    "the_version",
]


class WrittenCard(msgspec.Struct, frozen=True):
    """A card that is on record, how it stands, by section how it is covered, and the files that were written."""

    state: CardState
    coverage: dict[str, Coverage]
    files: list[str]


class ShownCard(msgspec.Struct, frozen=True):
    """A card as Markdown and as what it is made of; `card_id` is None where it is not on record as it is now."""

    name: str
    hash: str
    card_id: str | None
    markdown: str
    document: Document


class CardDifference(msgspec.Struct, frozen=True):
    """What changed from one card to another, a sentence each."""

    before: str
    after: str
    changes: list[str]


@operation("card", local=True)
def card(
    store: Store,
    model: str | None = None,
    version: str | None = None,
    *,
    dataset: Annotated[str | None, "Of this dataset instead of a model: NAME, or NAME@HASH for another version"] = None,
    output: Annotated[str | None, "Write it to this file: .md, .html, .csv or .json"] = None,
    pdf: Annotated[str | None, "Print it to this PDF file, by a browser that is installed"] = None,
    url: Annotated[str | None, "Address of the control plane, to which the files then link"] = None,
) -> WrittenCard:
    """Write the card of a version from the records, and keep it under the hash of what it says.

    VERSION is a number or an alias; without it the champion, or else the newest version. A card that says the same as
    the last one is that one.
    """
    if (model is None) == (dataset is None):
        raise InvalidInput("whose card is it?", expected="a model, or --dataset NAME")
    if output is not None:
        check_target(output)
    if pdf is not None:
        check_target(pdf, (".pdf",))
    now = store.clock.latest()
    if model is not None:
        found = the_version(store, model, version)
        document = model_card(store, found)
    else:
        rows = find_dataset(store, str(dataset))
        document = dataset_card(store, rows)
    files = write_files(document, now, root=(url or "").rstrip("/"), output=output, pdf=pdf)
    row = keep_model_card(store, found, document) if model is not None else keep_dataset_card(store, rows, document)
    return WrittenCard(card_state(store, row), {one.key: one.coverage(now) for one in document.sections}, files)


def keep_model_card(store: Store, version: ModelVersion, document: Document | None = None) -> Row:
    """Keep the card of a version, by default as the records are now; its row."""
    card_now = document or model_card(store, version)
    name = f"{version.model}/{version.version}"
    return keep_card(store, card_now, subject=version.mv_id, content_hash=version.hash, model=version.model, name=name)


def keep_dataset_card(store: Store, version: DatasetVersion, document: Document | None = None) -> Row:
    """The same of a version of a dataset."""
    card_now = document or dataset_card(store, version)
    return keep_card(
        store, card_now, subject=version.artifact_id, content_hash=version.hash, model=None, name=version.name
    )


@operation("card show")
def show_card(
    store: Store,
    name: str,
    version: str | None = None,
    *,
    dataset: Annotated[bool, "NAME is a dataset"] = False,
    written: Annotated[bool, "As it was last written, not as the records are now"] = False,
) -> ShownCard:
    """Show a card as the records are now, or as it was last written."""
    kind, subject, said, document = _now(store, name, version, dataset=dataset)
    rows = card_rows(store, kind, subject)
    if written:
        if not rows:
            raise NotFound(f"no card of {said} was written", where=store.location, hint=f"assay card {name}")
        document = kept_document(store, rows[0])
    known = next((row["card_id"] for row in rows if row["hash"] == document.hash), None)
    return ShownCard(said, document.hash, known, as_markdown(document, store.clock.latest()), document)


@operation("card diff")
def diff_cards(store: Store, model: str, before: str, after: str | None = None) -> CardDifference:
    """Say in words how the card of one version differs from that of another.

    Without AFTER, how what the records say of version BEFORE now differs from its card as it was last written. Of a
    version whose card was never written, the records count as they are now.
    """
    old = find_version(store, model, before)
    old_said, old_document = _as_written(store, old)
    if after is None:
        if old_said is None:
            raise NotFound(
                f"no card of {old.model}/{old.version} was written", hint=f"assay card {model} {old.version}"
            )
        changes = differences(old_document, model_card(store, old))
        return CardDifference(f"{old.model}/{old.version} {old_said}", f"{old.model}/{old.version} now", changes)
    new = find_version(store, model, after)
    new_said, new_document = _as_written(store, new)
    sides = [f"{one.model}/{one.version} {said or 'now'}" for one, said in ((old, old_said), (new, new_said))]
    return CardDifference(sides[0], sides[1], differences(old_document, new_document))


@operation("card ls")
def list_cards(store: Store, *, model: Annotated[str | None, "Only those of this model"] = None) -> list[CardState]:
    """List the newest card of each version and dataset: whether it is true of what answers now, and what it lacks."""
    newest: dict[tuple[str, str], Row] = {}
    for row in store.query("card", {"model": model} if model else {}, order_by=["-ts", "-card_id"]):
        newest.setdefault((row["kind"], row["subject"]), row)
    rows = sorted(newest.values(), key=lambda row: (row["kind"] != "model", row["name"], row["card_id"]))
    return [card_state(store, row) for row in rows]


def the_version(store: Store, model: str, version: str | None) -> ModelVersion:
    """The version that is meant; without one the champion, or else the newest."""
    if version is not None:
        return find_version(store, model, version)
    champion = alias(store, model, CHAMPION)
    return champion or find_version(store, model, list_models(store, model=model)[0].version)


def _now(store: Store, name: str, version: str | None, *, dataset: bool) -> tuple[str, str, str, Document]:
    """Kind, subject, name, and the card as the records are now."""
    if dataset:
        if version is not None:
            raise InvalidInput("a dataset has no numbered version", expected="NAME@HASH for another version")
        found = find_dataset(store, name)
        return "dataset", found.artifact_id, found.name, dataset_card(store, found)
    one = the_version(store, name, version)
    return "model", one.mv_id, f"{one.model}/{one.version}", model_card(store, one)


def _as_written(store: Store, version: ModelVersion) -> tuple[str | None, Document]:
    """When the card was last written and what it says; None and the records of now where it never was."""
    rows = card_rows(store, "model", version.mv_id)
    if not rows:
        return None, model_card(store, version)
    return f"of {day(happened(rows[0]))}", kept_document(store, rows[0])
