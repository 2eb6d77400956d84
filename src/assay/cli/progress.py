"""Progress on a terminal: a line a stage, with its share, what it is doing and how long it took."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from assay.progress import listening

__all__ = ["shown"]


@contextmanager
def shown() -> Iterator[None]:
    """Show what the operations inside the block tell, on standard error."""
    columns = (
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("[bold]{task.description:<8}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
    )
    stages: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True)) as progress:

        def heard(stage: str, share: float, detail: str) -> None:
            if stage not in stages:
                stages[stage] = progress.add_task(stage, total=1.0, detail=detail)
            shown_detail = {"detail": detail} if detail or share == 1.0 else {}
            progress.update(stages[stage], completed=share, **shown_detail)  # type: ignore[arg-type] # fields are free

        with listening(heard):
            yield
