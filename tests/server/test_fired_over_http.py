"""A trigger is fired over HTTP: with the server's token, once a key."""

from pathlib import Path

from tests.server.conftest import start_server

from assay.operate.triggers.commands import trigger_history
from assay.operate.triggers.definition import TriggerDefinition
from assay.operate.triggers.records import declare_triggers
from assay.record.location import open_store

FIRE = "/api/assay/v1/operations/triggers/fire"


def test_a_post_fires_a_declared_trigger_once_a_key(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"), create=True)
    declare_triggers(store, "delays", "flights", {"loaded": TriggerDefinition(manual=True)})
    server = start_server(store.location, ASSAY_TOKEN="secret")
    try:
        body = {"trigger": "loaded", "key": "load 7", "reason": "the month is loaded"}
        assert server.call("POST", FIRE, body).status == 401
        assert trigger_history(store) == []
        answers = [server.call("POST", FIRE, body, headers={"Authorization": "Bearer secret"}) for _ in range(2)]
        assert [one.status for one in answers] == [200, 200]
        (fired,) = trigger_history(store)
        assert [one.json["fire_id"] for one in answers] == [fired.fire_id] * 2
        assert (fired.outcome, fired.reason) == ("fired", "the month is loaded")
        wrong = server.call("POST", FIRE, {"trigger": "laoded"}, headers={"Authorization": "Bearer secret"})
        assert (wrong.status, wrong.json["error"]["kind"]) == (404, "NotFound")
    finally:
        server.stop()
        store.close()
