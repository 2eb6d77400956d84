"""What shows to others, who trust nobody, that the records are as they were: signatures, anchors, the bundle."""

__all__: list[str] = []
