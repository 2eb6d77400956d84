"""Who is told that an approval was asked for, given, refused, taken back or done without."""

from assay.record.notify.telling import tell
from assay.record.store import Store

__all__ = ["page_of", "tell_approval"]


def page_of(request_id: str) -> str:
    """The path of a request's page: what a notification links to."""
    return f"/approvals/{request_id}"


def tell_approval(
    store: Store,
    what: str,
    message: str,
    *,
    model: str,
    version: int,
    page: str,
    severity: str = "info",
    **more: object,
) -> None:
    """Tell of `approval.<what>`, in the transaction of it, with the page where one can answer."""
    data = {"message": message, "model": model, "version": version, "page": page, "severity": severity}
    tell(store, f"approval.{what}", {**data, **more})
