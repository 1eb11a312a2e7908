import pytest

from core.errors import UsageError
from core.settings import load_settings


@pytest.mark.parametrize(
    "given", ["entr.example", "ftp://entr.example", "https://", "javascript:alert(1)", "https://entr.example?x=1", ""]
)
def test_public_address_that_no_browser_reaches_is_refused(given: str) -> None:
    with pytest.raises(UsageError) as refused:
        load_settings(public_url=given)

    assert (refused.value.code, refused.value.params["name"]) == ("bad_setting", "ENTRAPPRENDRE_PUBLIC_URL")


def test_public_address_is_kept_without_its_last_slash() -> None:
    assert load_settings(public_url="https://entr.example/app/").public_url == "https://entr.example/app"


def test_database_stands_with_everything_else_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().database_url == "sqlite:///var/entrapprendre.db"

    monkeypatch.setenv("ENTRAPPRENDRE_VAR", "/srv/entr")
    assert load_settings().database_url == "sqlite:////srv/entr/entrapprendre.db"

    monkeypatch.setenv("ENTRAPPRENDRE_DATABASE_URL", "sqlite:///elsewhere.db")
    assert load_settings().database_url == "sqlite:///elsewhere.db"
