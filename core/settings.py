"""Settings: environment variables with the prefix ENTRAPPRENDRE_, or a `.env` file in the working directory."""

from email.utils import parseaddr
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.addresses import is_address
from core.errors import UsageError
from core.hosts import AllowList


class Settings(BaseSettings):
    """What the machine's owner decides; paths are relative to the working directory."""

    model_config = SettingsConfigDict(env_prefix="ENTRAPPRENDRE_", env_file=".env", extra="ignore", frozen=True)

    var: Path = Field(default=Path("var"), description="where database, inbox, mail, seals, Prefect's own data stand")
    database_url: str = Field(default_factory=lambda known: f"sqlite:///{known.get('var', 'var')}/entrapprendre.db")
    secret_key: SecretStr = SecretStr("")
    public_url: str = "http://127.0.0.1:8000"
    mail: Literal["file"] = "file"
    mail_from: str = "Entr'apprendre (IFC) <entrapprendre@ifc.example>"
    timezone: str = "Europe/Brussels"
    locale: Literal["fr"] = "fr"
    webhook_allow: str = Field(default="", description="hosts, networks (CIDR) that webhooks may go to as they are")

    @field_validator("mail_from")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if not is_address(parseaddr(value)[1]):  # found out at the first message, it would be each message's fault
            raise ValueError(value)
        return value

    @field_validator("public_url")
    @classmethod
    def _a_web_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(value)
        return value.rstrip("/")

    @field_validator("webhook_allow")
    @classmethod
    def _hosts(cls, value: str) -> str:
        AllowList.parse(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            return ZoneInfo(value).key
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(value) from error


def load_settings(**given: object) -> Settings:
    """Read the settings; what is given wins. Raises UsageError (`bad_setting`) naming the variable at fault."""
    try:
        return Settings(**given)  # type: ignore[arg-type]  # pydantic checks each value
    except ValidationError as error:
        fault = error.errors()[0]
        name = "ENTRAPPRENDRE_" + "_".join(str(part) for part in fault["loc"]).upper()
        raise UsageError("bad_setting", name=name, value=str(fault.get("input", "")), why=fault["msg"]) from error
