"""The ledger in the terminal: whether it holds, keys, anchors, bundles, signatures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from assay.cli.tables import lines, table, when

if TYPE_CHECKING:
    from assay.record.audit.anchors import LedgerAnchor
    from assay.record.audit.bundle import Bundle
    from assay.record.audit.keys import SigningKey
    from assay.record.audit.personal import ErasedPerson
    from assay.record.audit.signatures import Signature
    from assay.record.audit.signed_checkpoints import Checkpoint
    from assay.record.audit.signed_models import ModelSignature, ModelSignatureCheck
    from assay.record.audit.verification import LedgerCheck

__all__ = [
    "anchors",
    "bundle",
    "checkpoint",
    "erased_person",
    "keys",
    "ledger_check",
    "model_check",
    "new_key",
    "signatures",
    "signed",
    "signed_model",
]


def ledger_check(found: "LedgerCheck") -> RenderableType:
    """The verdict, up to when it can be verified, then what is wrong and what would help."""
    if found.sound:
        said = [f"sound: {found.entries} decisions in an unbroken chain, head {found.head[:12]}"]
    else:
        said = [f"NOT SOUND: {found.entries} decisions", *(f"  {text}" for text in found.problems)]
    if found.verifiable_up_to is not None:
        where = "read where they were said" if found.outside else "as the store itself says"
        age = f"{found.anchor_age_days:.1f} days ago"
        said.append(
            f"verifiable up to {when(found.verifiable_up_to)} (entry {found.verifiable_entries}, {age});"
            f" {found.anchors} anchors {where}"
        )
    if found.checkpoints:
        said.append(f"signed up to entry {found.signed_entries}, {found.checkpoints} checkpoints")
    said += [f"  note: {text}" for text in found.notes]
    return lines(said, "green" if found.sound else "red")


def new_key(made: "SigningKey") -> RenderableType:
    """The public half: the private one is never shown."""
    state = f" REVOKED {when(made.revoked)}: {made.reason}" if made.revoked else ""
    return Text(f"key {made.key_id[:12]} of {made.holder}{state}\npublic half: {made.public_key}")


def keys(found: "Sequence[SigningKey]") -> RenderableType:
    """A line for each."""
    shown = table("key", "holder", "kind", "since", "state", "public half")
    for one in found:
        state = f"revoked {when(one.revoked)}: {one.reason}" if one.revoked else "counts"
        shown.add_row(one.key_id[:12], one.holder, one.algorithm, when(one.ts), state, one.public_key)
    return shown


def checkpoint(made: "Checkpoint") -> RenderableType:
    """What was signed, by whom."""
    return Text(f"signed entries 1 to {made.seq}, hash {made.hash[:12]}, with key {made.key_id[:12]} of {made.holder}")


def anchors(made: "Sequence[LedgerAnchor]") -> RenderableType:
    """A line for each."""
    return lines(
        [f"anchored entries 1 to {one.seq}, hash {one.hash[:12]}, in {one.place} ({one.kind})" for one in made], ""
    )


def bundle(made: "Bundle") -> RenderableType:
    """What is in it, and what to tell its reader."""
    signed_by = f"signed with key {made.signed_by[:12]}" if made.signed_by else "not signed: --key FILE does it"
    said = [
        f"{made.path}: {made.bytes:,} bytes, {made.records} records, {made.shown} of {made.entries} decisions shown",
        f"{signed_by}",
        f"tell its reader besides: the SHA-256 of manifest.json is {made.manifest}",
        "check it: python -I -S verify.py, in the unpacked folder; nothing else is needed",
    ]
    return lines(said, "")


def erased_person(found: "ErasedPerson") -> RenderableType:
    """How much went, and where the name still stands."""
    said = [f"{found.values} values erased (decision {found.decision}); the chain verifies as before"]
    if found.named:
        counts = ", ".join(f"{count} in {kind}" for kind, count in found.named.items())
        said.append(f"what they did stays under the name by which they acted: {counts}")
    return lines(said, "")


def signed(made: "Signature") -> RenderableType:
    """Who signed what."""
    return Text(f"{made.actor} signed {made.subject_kind} {made.subject_id[:12]} with key {made.key_id[:12]}")


def signed_model(made: "ModelSignature") -> RenderableType:
    """Who signed which version, and where the signature is besides."""
    also = f"; also in {made.path}" if made.path else ""
    return Text(f"{made.actor} signed {made.model}/{made.version} ({made.hash[:12]}) with key {made.key_id[:12]}{also}")


def model_check(found: "ModelSignatureCheck") -> RenderableType:
    """Whose signature holds, and what is wrong."""
    if found.sound:
        return Text(
            f"the files of {found.model}/{found.version} are those that {', '.join(found.signed_by)} signed", "green"
        )
    said = [f"NOT as signed: {found.model}/{found.version}", *(f"  {text}" for text in found.problems)]
    return lines(said, "red")


def signatures(found: "Sequence[Signature]") -> RenderableType:
    """A line for each."""
    shown = table("who", "when", "kind", "id", "content", "key")
    for one in found:
        time = when(one.event_ts or one.ts)
        shown.add_row(one.actor, time, one.subject_kind, one.subject_id[:12], one.content_hash[:12], one.key_id[:12])
    return shown
