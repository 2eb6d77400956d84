import getpass
import os
import platform
import re
import sys
import time
import uuid

import pytest

from assay.record.identity import Actor, current_actor, new_id, ordered_id, this_host


def test_an_actor_is_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_ACTOR", " ann ")
    assert current_actor() == Actor("ann", "human")
    monkeypatch.setenv("ASSAY_ACTOR", "service:retrainer")
    assert current_actor() == Actor("retrainer", "service")


def test_without_a_name_it_is_the_user_who_is_logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "bob")
    assert current_actor() == Actor("bob", "human")


@pytest.mark.parametrize("error", [OSError, KeyError])
def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def nobody() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert current_actor().name == f"uid-{os.getuid()}"


def test_ids_are_32_hexadecimal_characters_and_differ() -> None:
    made = {new_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(made_id) == 32 and set(made_id) <= set("0123456789abcdef") for made_id in made)


def test_ordered_ids_are_uuids_of_version_7() -> None:
    before = time.time_ns() // 1_000_000
    made = [uuid.UUID(hex=ordered_id()) for _ in range(200)]
    after = time.time_ns() // 1_000_000
    assert {one.version for one in made} == {7}
    assert {one.variant for one in made} == {uuid.RFC_4122}
    assert all(before <= one.int >> 80 <= after for one in made)
    assert len(set(made)) == 200


def test_ordered_ids_sort_by_the_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for millisecond in (1, 2, 255, 256, 1_700_000_000_000):
        monkeypatch.setattr(time, "time_ns", lambda value=millisecond: value * 1_000_000)
        made.append(ordered_id())
    assert made == sorted(made)
    # RFC 9562, appendix A.6: the time 2022-02-22T14:22:22-05:00 begins with 017F22E2-79B0-7
    monkeypatch.setattr(time, "time_ns", lambda: 1_645_557_742_000 * 1_000_000)
    assert ordered_id().startswith("017f22e279b07")


def test_a_host_is_named_and_told_from_others_of_its_name() -> None:
    name, _, which = this_host().partition("/")
    assert name == platform.node()
    assert this_host() == this_host()
    if sys.platform == "linux":
        assert re.fullmatch("[0-9a-f]{8}", which)
