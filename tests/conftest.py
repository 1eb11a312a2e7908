"""What every test may ask for: databases on both engines, and an environment that is nobody's own."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack

import hypothesis
import pytest
from sqlalchemy import Engine

from tests.support.databases import Databases, Kind
from tests.support.postgres import GIVEN

# A loaded machine is slow, not wrong; examples found by one run are committed as tests, not kept in a folder.
hypothesis.settings.register_profile("house", deadline=None, database=None, print_blob=True)
hypothesis.settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    """Keep Prefect, which reads its settings when imported, away from the developer's server and the network."""
    home = tempfile.mkdtemp(prefix="entrapprendre-prefect-")
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]
    os.environ.update(PREFECT_HOME=home, PREFECT_SERVER_ANALYTICS_ENABLED="false", DO_NOT_TRACK="1")


@pytest.fixture(autouse=True)
def nobodys_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hide the developer's settings: no ENTRAPPRENDRE_ variable, and a working directory without .env or var/."""
    for name in [name for name in os.environ if name.startswith("ENTRAPPRENDRE_") and name != GIVEN]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """Give any number of databases, for tests to which one per test is not enough."""
    with ExitStack() as stack:
        yield Databases(stack)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> Kind:
    """Run the test on both engines; `@pytest.mark.parametrize("database_kind", ["sqlite"])` holds it to one."""
    kind: Kind = request.param
    return kind


@pytest.fixture
def empty_database_url(databases: Databases, database_kind: Kind) -> Iterator[str]:
    """Give the address of a database without any table."""
    url = databases.fresh(database_kind, migrated=False)
    yield url
    databases.discard(url)


@pytest.fixture
def database_url(databases: Databases, database_kind: Kind) -> Iterator[str]:
    """Give the address of a migrated database without any row."""
    url = databases.fresh(database_kind)
    yield url
    databases.discard(url)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Give the application's own engine on `database_url`."""
    from wiring.database import make_engine

    engine = make_engine(database_url)
    yield engine
    engine.dispose()
