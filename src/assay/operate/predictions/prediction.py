"""What is kept of each row that was answered."""

from typing import Any, Literal

import msgspec

from assay.record.models.registry import CHAMPION
from assay.record.models.routes import HashVersion

__all__ = ["Gap", "LookedUp", "Prediction", "Reason", "ViewRead"]

Reason = Literal["only", "hash", "outside", "forced", "fallback"]


class ViewRead(msgspec.Struct, frozen=True, array_like=True):
    """What a view's version (`NAME@VERSION`) said about a row: present, missing, expired or null_key.

    `ts` is the time of the row it used, microseconds after 1970; None where it used none.
    """

    view: str
    status: str
    ts: int | None


class LookedUp(msgspec.Struct, frozen=True, array_like=True):
    """How the features of a row were looked up: at `now_us` (microseconds after 1970), by the keys of its entities.

    Keys are whole numbers, texts, bytes, booleans or None; dates are texts. `given` are inputs that the request brought
    itself although they can be looked up.
    """

    now_us: int
    keys: dict[str, Any]
    views: tuple[ViewRead, ...]
    given: tuple[str, ...] = ()


class Gap(msgspec.Struct, frozen=True):
    """So many predictions were answered and not logged, for a reason, by the writer of the segment that this stands in.

    The first was dropped at `since`, the last at `until`, by the wall clock.
    """

    dropped: int
    since: str
    until: str
    reason: str


class Prediction(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One row that was answered, or that a model failed on.

    `ts` is the wall clock and `event_ts` the simulated moment of a replay, both in the text form of `record.clock`.
    `row` is its position in the request. `features` stand in the order of the model's signature, None for missing.
    `output` is a probability, None where `status` is `error`. `latency_us` is the time of the whole request from its
    last byte to its last output. `looked_up` says how features were found that the request did not bring, None for a
    model without such.

    `role` tells what answered the caller from its `shadow`, whose row has the same id. `variant` is the name the
    version has at the endpoint, `propensity` the probability with which a unit gets it, and `reason` why this one
    did: it was the `only` one, by its `hash`, or because the unit takes no part (`outside`), somebody `forced` it, or
    the row could not be answered by the variant it was assigned (`fallback`). `experiment`, `phase`, `salt`,
    `hash_version` and `bucket` (0 to 2^32 - 1) make the assignment repeatable; None without a split. `scores` are the
    probabilities of all classes where there are more than two. `flags` name columns whose value broke the signature
    and was passed on by a policy: `missing`, `mistyped`, `unseen`, `out_of_range`, `extra`, with `:imputed` behind it
    where another value was put in its place. `weight` is how many rows this one
    stands for. `schema` is the hash of the input columns. New fields go to the end and have a default, so that old
    segments stay readable.
    """

    id: str
    ts: str
    event_ts: str | None
    request_id: str
    row: int
    endpoint: str
    model: str
    version: int
    mv_id: str
    role: Literal["live", "shadow", "replay"]
    unit: str | None
    propensity: float
    features: tuple[str | float | None, ...]
    output: float | None
    status: Literal["ok", "error"]
    error: str | None
    latency_us: int
    looked_up: LookedUp | None = None
    variant: str = CHAMPION
    revision: int = 0
    reason: Reason = "only"
    experiment: str | None = None
    phase: int | None = None
    salt: str | None = None
    hash_version: HashVersion | None = None
    bucket: int | None = None
    scores: tuple[float, ...] | None = None
    flags: dict[str, str] | None = None
