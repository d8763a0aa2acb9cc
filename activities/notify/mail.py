"""Mail by SMTP. The Message-ID comes from our key, so that a mail sent twice is one mail to every inbox that looks."""

import hashlib
import ssl
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib

from activities.notify.settings import MailSettings
from commerce.failures import Family, SystemFailure
from commerce.model import UtcDatetime

_BY_ITSELF = "nothing: it goes on by itself when the mail server takes mail again"
_CORRECT = "correct the address (decision 'correct') or skip the mail"
_MEND = "mend [mail] in the configuration or the mail server and decide 'retry', or skip the mail"


class Mailer:
    def __init__(self, settings: MailSettings, *, system: str = "mail") -> None:
        self._settings = settings
        self._system = system

    def message_id(self, key: str) -> str:
        digest = hashlib.sha256(key.encode()).hexdigest()[:32]
        return f"<{digest}@{self._settings.sender.rpartition('@')[2]}>"

    async def send(self, key: str, to: tuple[str, ...], subject: str, text: str, at: UtcDatetime) -> str:
        """Send one plain text mail; returns its Message-ID. Raises SystemFailure."""
        settings = self._settings
        try:
            receivers = [_address(written) for written in to]
            mail = self._mail(key, receivers, subject, text, at)
            await aiosmtplib.send(
                mail,
                sender=settings.sender,
                recipients=[f"{receiver.username}@{receiver.domain}" for receiver in receivers],
                hostname=settings.host,
                port=settings.port,
                username=settings.username or None,
                password=settings.password.get_secret_value() if settings.password else None,
                use_tls=settings.tls_at_once,
                start_tls=settings.starttls and not settings.tls_at_once,
                timeout=settings.timeout_seconds,
            )
        except (MessageError, ValueError, IndexError, aiosmtplib.SMTPException, OSError) as err:
            family, code, came_back, do_next = _meaning(err)
            # Without the cause: what servers and parsers say quotes the buyer's address.
            raise SystemFailure(
                family, f"send mail {key}", came_back, system=self._system, code=code, do_next=do_next
            ) from None
        return str(mail["Message-ID"])

    def _mail(self, key: str, to: list[Address], subject: str, text: str, at: UtcDatetime) -> EmailMessage:
        settings = self._settings
        mail = EmailMessage()
        mail["From"] = Address(settings.sender_name, addr_spec=settings.sender)
        mail["To"] = to
        mail["Subject"] = " ".join(subject.split())
        mail["Date"] = format_datetime(at)
        mail["Message-ID"] = self.message_id(key)
        mail.set_content(text)
        return mail


def _address(written: str) -> Address:
    """One address whatever it holds: a comma must not make two. Raises ValueError."""
    local, _, domain = written.rpartition("@")
    return Address(username=local, domain=domain.encode("idna").decode())


def _meaning(err: Exception) -> tuple[Family, str, str, str]:
    """Family, code, what came back and what to do next: the mail server's table."""
    if isinstance(err, aiosmtplib.SMTPRecipientsRefused):
        codes = [refused.code for refused in err.recipients]
        if codes and all(code < 500 for code in codes):  # a server that does not know us yet asks us to come again
            return Family.TRANSIENT, str(codes[0]), f"the mail server answered {codes[0]}: not now", _BY_ITSELF
        code = str(max(codes)) if codes else ""
        return Family.REJECTED, code, f"the mail server refused the receiver ({code or '?'})", _CORRECT
    if isinstance(err, aiosmtplib.SMTPResponseException):
        if 400 <= err.code < 500 or err.code <= 0:
            return Family.TRANSIENT, str(err.code), f"the mail server answered {err.code}", _BY_ITSELF
        return Family.NEEDS_PERSON, str(err.code), f"the mail server answered {err.code}", _MEND
    # The library says "extension not supported" with its bare base class, too.
    if isinstance(err, aiosmtplib.SMTPNotSupported) or type(err) is aiosmtplib.SMTPException:
        return Family.NEEDS_PERSON, "", "the mail server does not offer what the mail or [mail] asks for", _MEND
    if isinstance(err.__cause__ or err, ssl.SSLCertVerificationError):
        return Family.NEEDS_PERSON, "", "the mail server's certificate cannot be trusted", _MEND
    if isinstance(err, aiosmtplib.SMTPException | OSError):
        return Family.TRANSIENT, "", f"the mail server does not answer: {type(err).__name__}", _BY_ITSELF
    return Family.REJECTED, "", "the receiver's address is not one that can be written", _CORRECT
