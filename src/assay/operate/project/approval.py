"""What a project says of approvals, put in place for its model."""

from assay.errors import Refused
from assay.operate.project.settings import ProjectFile
from assay.progress import tell
from assay.prove.approvals.policy import declare_policy
from assay.record.store import Store

__all__ = ["declare_approval"]


def declare_approval(store: Store, project: ProjectFile) -> None:
    """Declare what the project asks for, once its model has a version.

    A file that asks for less than what counts changes nothing, unless who reads it may ask for less: what is stricter
    holds, and that is said.
    """
    asked, model = project.approval, project.model_name
    if asked is None or not store.query("registered_model", {"name": model}, limit=1):
        return
    try:
        declare_policy(store, model, tier=asked.tier, days=asked.days, one_person=asked.one_person, delay=asked.delay)
    except Refused as error:
        tell("approval", 1.0, f"{project.file.name} asks for less than what counts, which holds: {error.what}")
