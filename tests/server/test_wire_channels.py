"""MLflow's clients see webhooks of what happens in the registry, and no other channel."""

from pathlib import Path

import pytest
from msgspec import UNSET

from assay.errors import NotFound
from assay.record.notify.webhooks import add_webhook, webhooks
from assay.record.sqlstore import SqlStore
from assay.server.wire import webhooks as wire
from assay.server.wire.call import Call, Settings

ADDRESS = "https://93.184.215.14/hook"


def test_other_channels_are_neither_listed_nor_changed_over_the_wire(store: SqlStore, tmp_path: Path) -> None:
    call = Call(store, Settings())
    seen = add_webhook(store, "seen", ADDRESS)
    hidden = [
        add_webhook(store, "chat", ADDRESS, form="slack"),
        add_webhook(store, "log", f"{tmp_path}/told.jsonl", form="file"),
        add_webhook(store, "events", ADDRESS, form="cloudevents"),
    ]
    listed = wire.list_webhooks(call, wire.ListWebhooks()).webhooks
    assert listed is not UNSET
    assert [one.webhook_id for one in listed] == [seen.webhook_id]
    assert wire.get_webhook(call, wire.OfWebhook(seen.webhook_id)).webhook.url == ADDRESS
    for one in hidden:
        with pytest.raises(NotFound):
            wire.get_webhook(call, wire.OfWebhook(one.webhook_id))
        with pytest.raises(NotFound):
            wire.update_webhook(call, wire.UpdateWebhook(one.webhook_id, url="https://93.184.215.15/"))
        with pytest.raises(NotFound):
            wire.delete_webhook(call, wire.OfWebhook(one.webhook_id))
        with pytest.raises(NotFound):
            wire.test_webhook(call, wire.TestWebhook(one.webhook_id))
    assert sorted(one.name for one in webhooks(store)) == ["chat", "events", "log", "seen"]
    assert not (tmp_path / "told.jsonl").exists()
