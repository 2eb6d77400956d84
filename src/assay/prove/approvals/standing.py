"""How the approval of a version stands at a moment: computed from rows that are never changed, and from what it is now.

An answer counts where it is on this very subject, was given by a person who had a role for it then, who neither asked
nor had a hand in the version, has not expired and was not taken back.
"""

from datetime import datetime
from typing import Literal

import msgspec

from assay.prove.approvals.authors import authors_of, same_person
from assay.prove.approvals.conditions import Condition, ConditionCheck, check_condition
from assay.prove.approvals.plan import DIRECT, Going, covers
from assay.prove.approvals.policy import PEERS, SECOND, ApprovalPolicy, policy_of
from assay.prove.approvals.records import Answer, ApprovalRequest, answers_to, exceptions_of, newest_request
from assay.prove.approvals.subject import Change, Part, Subject, changed_parts, subject_of
from assay.record.clock import iso, moment
from assay.record.people import people_with, roles_at
from assay.record.store import Store

__all__ = ["AnswerNow", "ApprovalState", "State", "answer_fault", "state_of", "who_may_answer"]

State = Literal[
    "not asked", "approved", "one person", "waiting", "conditions", "rejected", "void", "expired", "missing"
]


class AnswerNow(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, and why it does not count; `fault` is None where it does."""

    approval_id: str
    approver: str
    role: str
    outcome: str
    comment: str | None
    given: str
    expires: str | None
    conditions: list[str]
    fault: str | None


class ApprovalState(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands. `outcome` is pass where the version may go live so; `missing` says what is needed, `next` how.

    `subject_hash` and `parts` are what it is now, `changed` what is not as it was asked for.
    """

    model: str
    version: int
    mv_id: str
    state: State
    outcome: Literal["pass", "fail", "inconclusive"]
    words: str
    policy: str
    tier: str | None
    subject_hash: str
    parts: tuple[Part, ...]
    request: ApprovalRequest | None = None
    changed: list[Change] = []
    answers: list[AnswerNow] = []
    conditions: list[ConditionCheck] = []
    missing: list[str] = []
    waits_for: list[str] = []
    expires: str | None = None
    next: str | None = None

    @property
    def by(self) -> list[str]:
        """Whose approvals count."""
        return [
            f"{one.approver} ({one.role})" for one in self.answers if one.fault is None and one.outcome == "approve"
        ]


def state_of(store: Store, mv_id: str, going: Going | None = None, at: datetime | None = None) -> ApprovalState:
    """How the approval of a version stands at a moment, by default now, for going live as `going` says.

    Without `going` it is by the plan that was asked for.
    """
    now = at or store.clock.latest()
    request = newest_request(store, mv_id)
    plan = request.plan if request else (going or Going()).plan
    subject = subject_of(store, mv_id, plan=plan)
    policy = policy_of(store, subject.model)
    look = _Look(store, subject, policy, request, going or Going(plan=plan), now)
    return look.found()


def answer_fault(
    store: Store, one: Answer, *, model: str, roles: tuple[str, ...], authors: dict[str, str], at: datetime
) -> str | None:
    """Why an answer does not count at a moment, None where it does. Its subject is not looked at."""
    if one.approver_kind != "human":
        return f"{one.approver} is a service, and an approver is a person"
    had = roles_at(store, one.approver, model, moment(one.given))
    if not had & set(roles) or one.role not in had:
        return f"{one.approver} did not have a role for it then ({', '.join(sorted(had)) or 'none'})"
    if one.outcome == "approve":
        if same_person(one.approver, one.requester):
            return f"{one.approver} asked for it"
        for name, did in authors.items():
            if same_person(one.approver, name):
                return f"{one.approver} {did}"
        if one.expires is None or moment(one.expires) <= at:
            return f"expired at {(one.expires or 'once')[:16]}"
    return None


def who_may_answer(
    store: Store, policy: ApprovalPolicy, mv_id: str, model: str, requester: str
) -> dict[str, list[str]]:
    """The people who may approve a version now, with the roles by which they may."""
    barred = [requester, *authors_of(store, mv_id)]
    found: dict[str, list[str]] = {}
    for role, people in people_with(store, policy.roles, model).items():
        for person in people:
            if not any(same_person(person, name) for name in barred):
                found.setdefault(person, []).append(role)
    return found


class _Look:
    """One look at a version's approval."""

    def __init__(
        self,
        store: Store,
        subject: Subject,
        policy: ApprovalPolicy,
        request: ApprovalRequest | None,
        going: Going,
        now: datetime,
    ) -> None:
        self.store, self.subject, self.policy, self.request = store, subject, policy, request
        self.going, self.now = going, now
        self.name = f"{subject.model}/{subject.version}"
        self.answers = answers_to(store, subject.mv_id)
        self.taken_back = {one.withdraws: one for one in self.answers if one.outcome == "withdraw"}

    def found(self) -> ApprovalState:
        """What the state is, in the order in which reasons speak."""
        if not self.policy.asks:
            return self._state("not asked", "pass", self.policy.words, next=None)
        request = self.request
        if request is None or request.request_id in self.taken_back:
            return self._without_request()
        changed = self._changed(request)
        judged = [self._judged(one) for one in self.answers if one.outcome != "withdraw"]
        if changed:
            said = "; ".join(one.words for one in changed)
            what = "is void" if request.subject_hash != self.subject.hash else "is not for this way"
            words = f"what was asked for on {request.asked[:16]} {what}: {said}"
            return self._state("void", "fail", words, changed=changed, answers=judged, next=self._ask())
        rejections = [one for one in judged if one.outcome == "reject" and one.fault is None]
        if rejections:
            last = rejections[-1]
            words = f"{last.approver} ({last.role}) rejected it: {last.comment}"
            hint = f"change what was rejected and ask again, or {last.approver}: assay approve withdraw {self._which()}"
            return self._state("rejected", "fail", words, answers=judged, next=hint)
        return self._answered(request, judged)

    def _answered(self, request: ApprovalRequest, judged: list[AnswerNow]) -> ApprovalState:
        counting = [one for one in judged if one.outcome == "approve" and one.fault is None]
        missing = self._missing(counting)
        if not missing:
            return self._approved(counting, judged)
        if self.policy.one_person:
            alone = self._alone(request, judged)
            if alone is not None:
                return alone
        wanted = {role for roles in missing.values() for role in roles}
        waits_for = sorted(
            person
            for person, roles in self._others(request).items()
            if wanted & set(roles) and all(person != one.approver for one in counting)
        )
        whom = f": {', '.join(waits_for)}" if waits_for else "; nobody has a role for it: assay role grant PERSON ROLE"
        words = f"{self.name} waits for {' and '.join(missing)}{whom}"
        expired = [  # of those given to this request
            one
            for one in judged
            if one.outcome == "approve" and (one.fault or "").startswith("expired") and one.given >= request.asked
        ]
        more = {"answers": judged, "missing": list(missing), "waits_for": waits_for}
        if iso(self.now) >= request.expires or (expired and not counting):
            what = f"the approval by {expired[-1].approver} {expired[-1].fault}" if expired else "the request expired"
            return self._state("expired", "fail", f"{what}; {words}", **more, next=self._ask())
        return self._state("waiting", "inconclusive", words, **more, next=f"assay approve give {self._which()}")

    def _approved(self, counting: list[AnswerNow], judged: list[AnswerNow]) -> ApprovalState:
        by = ", ".join(f"{one.approver} ({one.role})" for one in counting)
        expires = min(one.expires for one in counting if one.expires is not None)
        words = f"approved by {by} until {expires[:16]}"
        checks = self._conditions(counting)
        unmet = [one for one in checks if one.verdict != "pass"]
        if self.going.fully and unmet:
            missing = [f"{one.condition}: {one.words}" for one in unmet]
            words = f"{words}, if {'; '.join(missing)}"
            plan = self.going.plan
            way = f"assay release {self._which()} --strategy {plan.strategy}"
            hint = f"assay promote {self._which()}, once that holds" if plan == DIRECT else way
            more = {"answers": judged, "conditions": checks, "missing": missing, "expires": expires}
            return self._state("conditions", "inconclusive", words, **more, next=hint)
        return self._state("approved", "pass", words, answers=judged, conditions=checks, expires=expires, next=None)

    def _alone(self, request: ApprovalRequest, judged: list[AnswerNow]) -> ApprovalState | None:
        """A team of one: the exception on record, once its delay is over; None where somebody else can agree."""
        found = [
            one
            for one in exceptions_of(self.store, self.subject.mv_id)
            if one.kind == "one_person" and one.subject_hash == self.subject.hash and one.not_before
        ]
        if not found or iso(self.now) >= request.expires or self._others(request):
            return None
        last = found[-1]
        assert last.not_before is not None, "it was chosen by that"
        words = f"four eyes are not possible: recorded by {last.by}, reviewed until {last.review_due[:16]}"
        if iso(self.now) < last.not_before:
            missing = [f"the delay until {last.not_before[:16]}"]
            said = f"{words}; waits until {last.not_before[:16]}"
            return self._state("waiting", "inconclusive", said, answers=judged, missing=missing, next="wait")
        return self._state("one person", "pass", words, answers=judged, next=None)

    def _missing(self, counting: list[AnswerNow]) -> dict[str, tuple[str, ...]]:
        """What the tier asks for and nobody has given, in words, with the roles by which it can be given."""
        people = {one.approver.casefold() for one in counting}
        had = {
            one.approver.casefold(): roles_at(self.store, one.approver, self.subject.model, moment(one.given))
            for one in counting
        }
        peers = {person for person in people if had[person] & set(PEERS)}
        if self.policy.tier == "medium":
            return {} if peers else {f"one peer ({', '.join(PEERS)})": PEERS}
        seconds = {person for person in people if had[person] & set(SECOND)}
        if any(one != other for one in peers for other in seconds):
            return {}
        lacking: dict[str, tuple[str, ...]] = {} if peers else {f"a peer ({', '.join(PEERS)})": PEERS}
        lacking |= {} if seconds else {" or ".join(SECOND): SECOND}
        return lacking or {"another person": self.policy.roles}

    def _others(self, request: ApprovalRequest) -> dict[str, list[str]]:
        return who_may_answer(self.store, self.policy, self.subject.mv_id, self.subject.model, request.requester)

    def _conditions(self, counting: list[AnswerNow]) -> list[ConditionCheck]:
        ids = {one.approval_id for one in counting}
        asked: dict[str, Condition] = {}
        for answer in self.answers:
            if answer.approval_id in ids:
                asked |= {one.text: one for one in answer.conditions}
        return [
            check_condition(self.store, one, self.subject.model, self.going, self.now)
            for _, one in sorted(asked.items())
        ]

    def _judged(self, one: Answer) -> AnswerNow:
        fault = answer_fault(
            self.store,
            one,
            model=self.subject.model,
            roles=self.policy.roles,
            authors=self._authors,
            at=self.now,
        )
        if one.subject_hash != self.subject.hash:
            fault = "it was on something else than what there is now"
        if one.approval_id in self.taken_back:
            back = self.taken_back[one.approval_id]
            fault = f"taken back by {back.approver}" + (f": {back.comment}" if back.comment else "")
        return AnswerNow(
            approval_id=one.approval_id,
            approver=one.approver,
            role=one.role,
            outcome=one.outcome,
            comment=one.comment,
            given=one.given,
            expires=one.expires,
            conditions=[condition.text for condition in one.conditions],
            fault=fault,
        )

    @property
    def _authors(self) -> dict[str, str]:
        if not hasattr(self, "_made_by"):
            self._made_by = authors_of(self.store, self.subject.mv_id)
        return self._made_by

    def _changed(self, request: ApprovalRequest) -> list[Change]:
        changed = changed_parts(request.parts, self.subject)
        wanted = self.going.plan
        if not covers(request.plan, wanted):
            changed.append(Change("rollout plan", request.plan.words, wanted.words, request.plan.hash, wanted.hash))
        return changed

    def _without_request(self) -> ApprovalState:
        judged = [self._judged(one) for one in self.answers if one.outcome != "withdraw"]
        asked = "was taken back" if self.request else "was never made"
        words = f"{self.name} needs an approval (risk tier {self.policy.tier}), and a request for one {asked}"
        return self._state("missing", "fail", words, answers=judged, missing=["a request"], next=self._ask())

    def _which(self) -> str:
        return f"{self.subject.model} {self.subject.version}"

    def _ask(self) -> str:
        plan = self.going.plan.strategy
        return f"assay approve request {self._which()}" + (f" --plan {plan}" if plan != "direct" else "")

    def _state(
        self, state: State, outcome: Literal["pass", "fail", "inconclusive"], words: str, **more: object
    ) -> ApprovalState:
        return ApprovalState(
            model=self.subject.model,
            version=self.subject.version,
            mv_id=self.subject.mv_id,
            state=state,
            outcome=outcome,
            words=words,
            policy=self.policy.words,
            tier=self.policy.tier,
            subject_hash=self.subject.hash,
            parts=self.subject.parts,
            request=self.request,
            **more,  # type: ignore[arg-type]
        )
