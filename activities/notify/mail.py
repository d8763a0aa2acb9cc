"""Mail by SMTP. The Message-ID comes from our key, so that a mail sent twice is one mail to every inbox that looks."""

import hashlib
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib

from activities.notify.settings import MailSettings
from commerce.failures import Family, SystemFailure
from commerce.model import UtcDatetime


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
        mail = EmailMessage()
        mail["From"] = str(Address(settings.sender_name, addr_spec=settings.sender))
        mail["To"] = ", ".join(to)
        mail["Subject"] = subject
        mail["Date"] = format_datetime(at)
        mail["Message-ID"] = self.message_id(key)
        mail.set_content(text)
        tried = f"send mail {key}"
        try:
            await aiosmtplib.send(
                mail,
                hostname=settings.host,
                port=settings.port,
                username=settings.username or None,
                password=settings.password.get_secret_value() if settings.password else None,
                start_tls=settings.starttls,
                timeout=settings.timeout_seconds,
            )
        except aiosmtplib.SMTPRecipientsRefused as err:
            raise SystemFailure(
                Family.REJECTED,
                tried,
                f"the mail server refused the receiver ({err.recipients[0].code if err.recipients else '?'})",
                system=self._system,
                do_next="correct the address (decision 'correct') or skip the mail",
            ) from None  # its text is the buyer's address
        except aiosmtplib.SMTPResponseException as err:
            family = Family.TRANSIENT if 400 <= err.code < 500 else Family.NEEDS_PERSON
            raise SystemFailure(
                family, tried, f"the mail server answered {err.code}", system=self._system, code=str(err.code)
            ) from err
        except (aiosmtplib.SMTPException, OSError) as err:
            raise SystemFailure(
                Family.TRANSIENT, tried, f"the mail server does not answer: {type(err).__name__}", system=self._system
            ) from err
        return str(mail["Message-ID"])
