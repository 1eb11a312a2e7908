"""The command line as tests use it: called in this process, or as the installed script, on a loaded database."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.main import run

ROOT = Path(__file__).parents[2]
EDITION = ROOT / "editions" / "2018-2019.toml"
SCRIPT = Path(sys.executable).with_name("entrapprendre")

OFFERS = """\
reference;entreprise;secteur;intitule;places;date_debut;date_fin;contact_nom;contact_email
ACME-01;ACME;Industrie;Usinage;2;2019-01-24;2019-01-25;Anne Vos;anne.vos@acme.example
BETON-01;BETON;Construction;Coffrage;1;;;Luc Roy;luc.roy@beton.example
"""
_COLUMNS = "nom;prenom;email;fonction;ecole_fase;ecole;reseau;enseignement;direction_nom;direction_email;voeu_1;voeu_2"
REGISTRATIONS = f"""\
{_COLUMNS}
Noël;Zoé;zoe.noel@saint-luc.example;enseignant;101;St-Luc;SeGEC;ordinaire;Rita Lux;rita.lux@saint-luc.example;ACME-01;
Petit;Jo;jo.petit@athenee.example;enseignant;202;Athénée;WBE;ordinaire;Guy Duc;guy.duc@athenee.example;ACME-01;BETON-01
Gros;Eva;eva.gros@inspection.example;inspecteur;;;;;;;BETON-01;
"""
TEACHER, DIRECTOR, COMPANY = (
    "teacher:zoe.noel@saint-luc.example",
    "director:rita.lux@saint-luc.example",
    "company:anne.vos@acme.example",
)
INSTITUTE, COORDINATOR = "institute:anne-marie.streel@cecafoc.example", "coordinator:malik.ouedraogo@ifc.example"
ANSWERS = json.dumps(
    {
        **dict.fromkeys(("preparation", "organisation", "immersion", "curricula", "transfer"), 4),
        "used_in_class": "examples",
        "pupils": "up_to_40",
        "recommend": True,
        "improve": "Des dates plus tôt.",
    }
)
"""What somebody answers to the questionnaire of the edition 2018-2019."""
ZOE, JO, EVA = "2018-2019-0001", "2018-2019-0002", "2018-2019-0003"


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)

    @property
    def refused(self) -> Any:
        """What a refusal in JSON says."""
        return self.json["refused"]


Call = Callable[..., Answer]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Call `entrapprendre` in this process."""

    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Answer(status, out, err)

    return call


@pytest.fixture
def done(call: Call) -> Call:
    """Call `entrapprendre` for something that must succeed."""

    def done(*arguments: object) -> Answer:
        answer = call(*arguments)
        assert (answer.status, answer.err) == (0, ""), answer
        return answer

    return done


@pytest.fixture
def shell() -> Call:
    """Call the installed script in a process of its own."""

    def shell(*arguments: object, stdin: bytes = b"", **environment: str) -> Answer:
        finished = subprocess.run(
            [SCRIPT, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            check=False,
            env={**os.environ, "PYTHONWARNINGS": "", **environment},
        )
        return Answer(finished.returncode, finished.stdout.decode(), finished.stderr.decode())

    return shell


@pytest.fixture
def loaded(database_url: str, monkeypatch: pytest.MonkeyPatch, done: Call) -> str:
    """Give a database with an edition, three people who registered for it and the offers they wish."""
    monkeypatch.setenv("ENTRAPPRENDRE_DATABASE_URL", database_url)
    Path("offers.csv").write_text(OFFERS)
    Path("registrations.csv").write_text(REGISTRATIONS)
    done("init", EDITION, "--at", "2018-09-03")
    done("import", "offers", "offers.csv", "--at", "2018-09-10")
    done("import", "registrations", "registrations.csv", "--at", "2018-09-17T09:00")
    return database_url


@pytest.fixture
def immersed(loaded: str, done: Call) -> str:
    """Give that database with Zoé immersed, her handoff offered to Cecafoc."""
    done("act", ZOE, "approve", "--by", DIRECTOR, "--at", "2018-09-20")
    done("tick", "--no-prefect", "--at", "2018-11-05T09:00")
    done("act", ZOE, "confirm_preparation", "--by", TEACHER, "--at", "2018-12-10")
    done("act", ZOE, "confirm_immersion", "--by", COMPANY, "--data", '{"half_days": 4}', "--at", "2019-01-25T18:00")
    done("tick", "--no-prefect", "--at", "2019-01-25T19:00")
    return loaded
