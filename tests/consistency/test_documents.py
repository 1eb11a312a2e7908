"""The documents say what the code does: drawings, commands, settings, deployments."""

import re
from pathlib import Path

import pytest
import yaml
from sqlalchemy import create_engine

from cli.main import COMMANDS, GROUPS
from core.settings import Settings
from states.diagram import mermaid
from states.process import Process
from states.tables import HANDOFF, PLACEMENT, PROCESS_2014, PROCESS_2018, RETURN
from tests.support.web import routes_of
from tests.support.worlds import World
from web.app import create_app

ROOT = Path(__file__).parents[2]
DOCUMENTS = "\n".join(path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))))


def test_readme_draws_the_lifecycle_as_it_is() -> None:
    assert f"```mermaid\n{mermaid(PROCESS_2018)}```" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    "process",
    [PROCESS_2018, PROCESS_2014, PLACEMENT, HANDOFF, RETURN],
    ids=("2018", "2014", "placement", "handoff", "return"),
)
def test_every_table_is_drawn_in_the_docs(process: Process) -> None:
    assert f"```mermaid\n{mermaid(process)}```" in (ROOT / "docs" / "lifecycle.md").read_text()


@pytest.mark.parametrize("command", sorted({*COMMANDS, *GROUPS}))
def test_every_command_is_mentioned(command: str) -> None:
    text = DOCUMENTS + (ROOT / "CHANGELOG.md").read_text()

    assert re.search(rf"`(entrapprendre )?{command}\b|entrapprendre {command}\b", text)


@pytest.mark.parametrize("setting", sorted(Settings.model_fields))
def test_every_setting_is_in_the_example(setting: str) -> None:
    assert f"ENTRAPPRENDRE_{setting.upper()}" in (ROOT / ".env.example").read_text()


def test_every_route_of_the_api_and_every_page_is_in_the_docs(tmp_path: Path) -> None:
    workshop = World(create_engine("sqlite://"), tmp_path).workshop
    told = (ROOT / "docs" / "api.md").read_text()

    routes = routes_of(create_app(workshop, Settings()))
    wanted = {f"`{method} {path}`" if path.startswith("/api/") else f"`{path}`" for method, path in routes}
    hidden = {"`/static/{path}`", "`GET /api/v1/openapi.json`"}
    assert {each for each in wanted - hidden if each not in told} == set()


def test_prefect_yaml_deploys_the_flows_of_the_code() -> None:
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    source = (ROOT / "flows" / "jobs.py").read_text()

    assert {each["entrypoint"] for each in deployments} == {
        f"flows.jobs.{name}" for name in re.findall(r"^async def ([a-z]\w*)\(", source, re.MULTILINE)
    }
    assert all(each["name"] == each["entrypoint"].rpartition(".")[2] for each in deployments)


def test_pinned_prefect_is_the_one_in_prefect_yaml() -> None:
    pinned = re.search(r"^prefect==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)

    assert pinned is not None
    assert yaml.safe_load((ROOT / "prefect.yaml").read_text())["prefect-version"] == pinned[1]


def test_no_path_of_a_machine_is_committed() -> None:
    found = [
        path
        for path in ROOT.rglob("*.md")
        if ".venv" not in path.parts and re.search(r"/(work|home|root)/", path.read_text())
    ]

    assert found == []
