"""Names as the Hugging Face hub takes them, and as paths of pages have them."""

import re
from urllib.parse import quote

__all__ = ["hub_licence", "hub_name", "page_path"]

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{1,39}")


def hub_licence(text: str | None) -> dict[str, str]:
    """`license` where the text is an identifier such as Apache-2.0; else it is another one, by its first line."""
    if text is None:
        return {}
    if _IDENTIFIER.fullmatch(text):
        return {"license": text.lower()}
    return {"license": "other", "license_name": hub_name(text.splitlines()[0]).lower()}


def hub_name(text: str) -> str:
    """Text as an identifier: letters, digits, dots and dashes."""
    return re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip("-.")[:96] or "unnamed"


def page_path(*parts: object) -> str:
    """The path of a page."""
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)
