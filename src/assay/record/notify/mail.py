"""Messages by e-mail, over SMTP: encrypted where the server can, and with a password only then."""

import os
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import parseaddr
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from assay.errors import InvalidInput
from assay.record.notify.words import Told

__all__ = ["PASSWORD", "MailTarget", "mail_target", "send_mail"]

PASSWORD = "ASSAY_SMTP_PASSWORD"  # noqa: S105 - the variable's name
_EXPECTED = "smtp://USER@HOST:587?from=assay@example.org&to=ann@example.org,bob@example.org"
_TIMEOUT_S = 10


class MailTarget(msgspec.Struct, frozen=True):
    """By which server, as which user, from whom and to whom. `secure`: encrypted from the first byte (smtps)."""

    host: str
    port: int
    secure: bool
    user: str | None
    sender: str
    to: tuple[str, ...]


def mail_target(url: str) -> MailTarget:
    """What the address of a channel says: smtp:// or smtps://; InvalidInput where it is incomplete."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidInput(f"{url!r} is no address for e-mail", expected=_EXPECTED) from None
    if parts.scheme not in ("smtp", "smtps") or not host:
        raise InvalidInput(f"{url!r} is no address for e-mail", expected=_EXPECTED)
    if parts.password is not None:
        raise InvalidInput("the address holds a password", expected=f"--secret-file FILE, or the variable {PASSWORD}")
    asked = parse_qs(parts.query)
    to = tuple(one.strip() for one in ",".join(asked.get("to", [])).split(",") if one.strip())
    sender = asked.get("from", [""])[0]
    for one in (sender, *to, *([] if to else [""])):
        if "@" not in parseaddr(one)[1] or any(ord(sign) < ord(" ") for sign in one):
            raise InvalidInput(f"{one!r} is no address of a person or a sender", expected=_EXPECTED)
    secure = parts.scheme == "smtps"
    user = unquote(parts.username) if parts.username else None
    return MailTarget(host, port or (465 if secure else 587), secure, user, sender, to)


def send_mail(url: str, password: str | None, told: Told, message_id: str) -> str:
    """Send it; returns what the server answered. OSError where it does not take it.

    The same delivery has the same Message-ID however often it is tried.
    """
    target = mail_target(url)
    mail = EmailMessage()
    mail["Subject"] = f"[{told.severity}] {told.title}"
    mail["From"], mail["To"] = target.sender, ", ".join(target.to)
    mail["Message-ID"] = f"<{message_id}@assay>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(told.text())
    secret = password or os.environ.get(PASSWORD)
    context = ssl.create_default_context()
    try:
        if target.secure:
            server: smtplib.SMTP = smtplib.SMTP_SSL(target.host, target.port, timeout=_TIMEOUT_S, context=context)
        else:
            server = smtplib.SMTP(target.host, target.port, timeout=_TIMEOUT_S)
        with server:
            server.ehlo()
            if not target.secure and server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
            elif not target.secure and target.user:
                raise InvalidInput(
                    f"{target.host} offers no encryption: no password is sent there", expected="smtps://"
                )
            if target.user:
                server.login(target.user, secret or "")
            refused = server.send_message(mail)
    except smtplib.SMTPException as error:
        raise OSError(f"the mail server refused: {error}") from error
    if refused:
        raise OSError(f"the mail server refused {', '.join(refused)}")
    return f"taken for {', '.join(target.to)}"
