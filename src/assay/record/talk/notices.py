"""What somebody has to know: listed, and read. That a list was printed proves nothing: reading is said by who reads."""

from typing import Annotated

import msgspec

from assay.errors import InvalidInput, Refused
from assay.operation import operation
from assay.record.clock import happened, iso, moment
from assay.record.short_ids import only_row
from assay.record.store import Row, Store
from assay.record.talk.spreading import NAMED, spread
from assay.record.talk.standing import catch_up, is_settled
from assay.record.talk.subjects import page_of, spelled

__all__ = ["Notice", "list_notices", "notices_for", "read_notices"]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """That a person has to know of something. `person` is empty where nobody has the role: then nobody was told.

    `roles` are those for which the person has to know, empty where the event names the person. `due`: until when it has
    to be read; `late`: that has passed and it was not. `sent` is when a channel of the person or role took it, `how`
    what was done about it. `settled`: others have done meanwhile what was asked for. Times are UTC.
    """

    notice_id: str
    event: str
    severity: str
    words: str
    subject: str
    model: str | None
    person: str
    roles: list[str]
    when: str
    due: str | None
    sent: str | None
    read: str | None
    acted: str | None
    how: str | None
    escalated: str | None
    late: bool
    settled: bool
    page: str | None


@operation("notices")
def list_notices(
    store: Store,
    *,
    person: Annotated[str | None, "Those of this person; you if left out"] = None,
    role: Annotated[str | None, "Those of everybody with this role, of nobody too"] = None,
    everybody: Annotated[bool, "Those of everybody, and of roles that nobody has"] = False,
    read: Annotated[bool, "Those that were read, too"] = False,
    limit: Annotated[int, "At most so many"] = 100,
) -> list[Notice]:
    """List what you have to know and have not read yet, the worst first.

    Listing is not reading: `assay notices read` says that, and so does acting.
    """
    if limit < 1:
        raise InvalidInput(f"--limit is {limit}", expected="1 or more")
    where: Row = {}
    if role is not None:
        where["role"] = role
    elif not everybody:
        where["person"] = person or store.actor.name
    return notices_for(store, where, read=read)[:limit]


@operation("notices read")
def read_notices(
    store: Store, notice: Annotated[str, "Its id, or the first characters of it; or `all` of yours"]
) -> list[Notice]:
    """Say that you have read a notice, or all of yours."""
    who = store.actor.name
    spread(store)
    with store.transaction():
        if notice == "all":
            rows = store.query("notice", {"person": who, "read": None})
        else:
            said = {"one": "notice", "several": "notices", "hint": "`assay notices`"}
            row = only_row(store, "notice", "notice_id", notice, **said)
            if row["person"] != who:
                whose = row["person"] or f"nobody: nobody had the role {row['role']}"
                raise Refused(f"the notice is for {whose}", expected=f"one for {who}, as whom you act")
            rows = store.query("notice", {"event_id": row["event_id"], "person": who})
        if store.actor.kind != "human":
            raise Refused(f"{who} is a service, and reads nothing", expected="a person")
        now = iso(store.clock.latest())
        for row in rows:
            if row["read"] is None:
                store.amend("notice", {"notice_id": row["notice_id"]}, {"read": now})
        ids = [row["notice_id"] for row in rows]
        return _together(store, store.query("notice", {"notice_id in": ids}) if ids else [])


def notices_for(store: Store, where: Row, *, read: bool = False, look: bool = True) -> list[Notice]:
    """Notices that satisfy conditions, those of a person about the same event as one; the worst and oldest first.

    With `look` it is found out before who has to know of what happened, and who has acted; else nothing is written.
    """
    wanted = {**where, **({} if read else {"read": None})}
    if look:
        catch_up(store, [])
        catch_up(store, store.query("notice", wanted))
    rows = store.query("notice", wanted, order_by=["-ts", "notice_id"])
    found = _together(store, rows)
    rank = {"critical": 0, "warning": 1, "info": 2}
    return sorted(
        found, key=lambda one: (one.read is not None, one.settled, rank[one.severity], one.due or "", one.notice_id)
    )


def _together(store: Store, rows: list[Row]) -> list[Notice]:
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:  # of nobody each role stands alone
        groups.setdefault((row["event_id"], row["person"], "" if row["person"] else row["role"]), []).append(row)
    now = store.clock.latest()
    spellings: dict[tuple[str, str], str] = {}
    found = []
    for group in groups.values():
        first = min(group, key=lambda row: (row["due"] or "", row["notice_id"]))
        key = (first["subject_kind"], first["subject_id"])
        if key not in spellings:
            spellings[key] = spelled(store, *key)
        late = first["read"] is None and bool(first["due"]) and moment(first["due"]) < now
        known: Row = {name: first[name] for name in Notice.__struct_fields__ if name in first}
        settled = first["read"] is None and is_settled(store, first)
        more: Row = {"settled": settled, "subject": spellings[key], "when": happened(first), "late": late}
        roles = sorted(row["role"] for row in group if row["role"] != NAMED)
        found.append(Notice(**known, **more, roles=roles, page=page_of(spellings[key], key[1])))
    return found
