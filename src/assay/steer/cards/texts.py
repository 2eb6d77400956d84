"""What only people can say of a model, a version or a dataset: asked for, dated, and valid for a time."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Literal, NamedTuple

import msgspec

from assay.errors import InvalidInput, NotFound, Refused, nearest
from assay.operation import operation
from assay.record.clock import happened, iso, written_moment
from assay.record.datasets import find_dataset
from assay.record.identity import ordered_id
from assay.record.lengths import written_length
from assay.record.models.registry import find_version
from assay.record.store import Row, Store
from assay.steer.cards.document import Asked, Said

__all__ = [
    "DATASET_PARTS",
    "MODEL_PARTS",
    "TIERS",
    "CardText",
    "Part",
    "asked",
    "keep_text",
    "known_model",
    "texts_of",
    "write_text",
]

Tier = Literal["low", "medium", "high"]
TIERS: tuple[Tier, ...] = ("low", "medium", "high")
_VALID = timedelta(weeks=52)  # what people said is looked at again once a year unless they say otherwise
_MOST = 20_000
_MOST_OWNER = 200
_CLAIM = re.compile(r"\bcompl(?:y|ies|ied|ying|iant|iance)\s+with\b", re.IGNORECASE)


class Part(NamedTuple):
    """What is asked, in which section of the card it stands, and from which risk tier on a card needs it."""

    question: str
    section: str
    least: Tier


MODEL_PARTS = {
    "licence": Part("Under which licence may it be used?", "details", "low"),
    "contact": Part("Whom does one ask about it?", "details", "low"),
    "intended-use": Part("What is it meant for?", "use", "low"),
    "users": Part("Who is meant to use it, and who is affected by its answers?", "use", "medium"),
    "out-of-scope": Part("What is it not meant for?", "use", "low"),
    "factors": Part("For whom or what might it differ, and why are these segments looked at?", "factors", "high"),
    "metrics": Part("Why do these metrics say what matters, and how was the threshold chosen?", "metrics", "high"),
    "evaluation-data": Part("Why is it judged on these rows, and how were they made?", "evaluation", "high"),
    "training-data": Part("What should one know of the rows it was trained on?", "training", "high"),
    "ethics": Part("Whom may it harm, and what is done about it?", "ethics", "medium"),
    "caveats": Part("What is not known, and what is recommended?", "caveats", "medium"),
}
DATASET_PARTS = {
    "licence": Part("Under which licence may it be used?", "details", "low"),
    "contact": Part("Whom does one ask about it?", "details", "medium"),
    "motivation": Part("What was it collected for, and by whom?", "collection", "medium"),
    "collection": Part("How were the rows collected and chosen?", "collection", "low"),
    "labelling": Part("Where do the labels come from, and how good are they?", "collection", "high"),
    "consent": Part("Do people stand behind the rows, and did they agree?", "people", "low"),
    "biases": Part("Who or what is missing, or there too often?", "people", "low"),
    "uses": Part("What should it be used for, and what not?", "uses", "medium"),
    "upkeep": Part("Who keeps it up to date, and until when?", "uses", "high"),
}
_PARTS = {"model": MODEL_PARTS, "version": MODEL_PARTS, "dataset": DATASET_PARTS}


class CardText(msgspec.Struct, frozen=True):
    """What a person said for a part of a card. `subject` is a model, a version such as `late/3`, or a dataset."""

    subject_kind: str
    subject: str
    section: str
    text: str
    owner: str
    said: str
    valid_until: str | None


@operation("card write", local=True)  # a person says it in their own name, not a server in its
def write_text(
    store: Store,
    name: str,
    section: str,
    text: str,
    *,
    version: Annotated[str | None, "Of this version only, by number or alias; else of all of the model"] = None,
    dataset: Annotated[bool, "NAME is a dataset"] = False,
    owner: Annotated[str | None, "Who answers for it; by default whoever writes"] = None,
    valid_until: Annotated[str | None, "A day, or a length such as 26w; by default 52w"] = None,
) -> CardText:
    """Say what only a person knows of a model or a dataset: intended use, caveats, licence and the like.

    SECTION is one of licence, contact, intended-use, users, out-of-scope, factors, metrics, evaluation-data,
    training-data, ethics and caveats; of a dataset licence, contact, motivation, collection, labelling, consent,
    biases, uses and upkeep. What was said before stays on record.
    """
    if dataset and version is not None:
        raise InvalidInput("a dataset has no numbered version", expected="--dataset or --version, not both")
    kind = "dataset" if dataset else "version" if version is not None else "model"
    _check_part(section, _PARTS[kind])
    if dataset:
        subject = said_of = find_dataset(store, name).name
    elif version is not None:
        found = find_version(store, name, version)
        subject, said_of = found.mv_id, f"{name}/{found.version}"
    else:
        subject = said_of = known_model(store, name)
    row = keep_text(store, kind, subject, section, text, owner=owner, valid_until=valid_until)
    return CardText(kind, said_of, section, row["text"], row["owner"], row["said"], row["valid_until"])


def keep_text(
    store: Store, kind: str, subject: str, section: str, text: str, *, owner: str | None, valid_until: str | None
) -> Row:
    """Keep what a person said; `said` of the result is when. Refused for a service, InvalidInput for no text."""
    if store.actor.kind != "human":
        raise Refused(
            f"{store.actor.name} is a service: what only people know is not for it to say",
            hint="ASSAY_ACTOR=NAME of the person who says it",
        )
    text = text.strip()
    if not text or len(text) > _MOST or "\x00" in text:
        raise InvalidInput(f"the text has {len(text):,} characters", expected=f"1 to {_MOST:,} that can be read")
    if claim := _CLAIM.search(text):
        raise InvalidInput(
            f"the text says {claim[0]!r}",
            expected='what it "is evidence for": whether that is enough is decided elsewhere',
        )
    who = store.actor.name if owner is None else owner.strip()
    if not who or not who.isprintable() or len(who) > _MOST_OWNER:
        raise InvalidInput(f"the owner is {who[:_MOST_OWNER]!r}", expected="the name of a person")
    now = store.clock.latest()
    until = iso(_until(valid_until, now))
    row: Row = {"subject_kind": kind, "subject": subject, "section": section, "text": text, "owner": who}
    store.append("card_text", {**row, "text_id": ordered_id(), "valid_until": until})
    return {**row, "valid_until": until, "said": iso(now)}


def texts_of(store: Store, subjects: dict[str, str], at: datetime) -> dict[str, Said]:
    """What was last said by then, by section; `subjects` by kind, of which a later one goes before an earlier one."""
    found: dict[str, Said] = {}
    for kind, subject in subjects.items():
        for row in store.query("card_text", {"subject_kind": kind, "subject": subject}, order_by=["ts", "text_id"]):
            if happened(row) <= iso(at):
                found[row["section"]] = Said(row["text"], row["owner"], happened(row), row["valid_until"])
    return found


def asked(parts: dict[str, Part], said: dict[str, Said], section: str) -> list[Asked]:
    """What people are asked in a section, with what they said."""
    return [Asked(name, part.question, said.get(name)) for name, part in parts.items() if part.section == section]


def _check_part(section: str, parts: dict[str, Part]) -> None:
    if section not in parts:
        close = nearest(section, list(parts))
        raise InvalidInput(
            f"nobody is asked for {section!r}",
            expected=", ".join(parts),
            hint=f"did you mean {close!r}?" if close else None,
        )


def known_model(store: Store, name: str) -> str:
    """The name of a model that is there; NotFound, with the nearest one, where it is not."""
    if not store.query("registered_model", {"name": name, "deleted": None}, limit=1):
        close = nearest(name, [row["name"] for row in store.query("registered_model", {"deleted": None})])
        raise NotFound(
            f"there is no model {name!r}",
            where=store.location,
            hint=f"did you mean {close!r}?" if close else "`assay models`",
        )
    return name


def _until(text: str | None, now: datetime) -> datetime:
    if text is None:
        return now + _VALID
    length = written_length(text)
    until = now + length if length is not None else written_moment(text)
    if until is None or until <= now:
        raise InvalidInput(f"--valid-until is {text!r}", expected="a day to come, or a length such as 26w")
    return until
