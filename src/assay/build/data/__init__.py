"""Tables before they teach anything: checked, cleaned, split."""

__all__: list[str] = []
