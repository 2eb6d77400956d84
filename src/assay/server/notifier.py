"""What people are to be told leaves the store in a thread of its own; alerts and notices are looked after."""

import logging
import threading

from assay.errors import AssayError
from assay.record.alerts.escalation import look_after
from assay.record.notify.delivery import deliver_due
from assay.record.notify.sending import Send, send
from assay.record.store import Store
from assay.record.talk.standing import look_after_notices

__all__ = ["Notifier"]

_log = logging.getLogger(__name__)
_EVERY_S = 5.0
_END_S = 11.0  # a receiver has ten seconds to answer


class Notifier:
    """Delivers until `close`, which waits for the delivery that is under way."""

    def __init__(self, store: Store, *, every_s: float = _EVERY_S, send: Send = send) -> None:
        self._store = store
        self._every_s = every_s
        self._send = send
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="assay-notifier", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Send nothing more."""
        self._end.set()
        self._thread.join(_END_S)

    def _run(self) -> None:
        while not self._end.wait(self._every_s):
            try:
                look_after(self._store)
                look_after_notices(self._store)
                deliver_due(self._store, send=self._send, ended=self._end.is_set)
            except AssayError as error:  # a store that is away now may be back at the next turn
                _log.warning("webhooks were not told: %s", error.what)
