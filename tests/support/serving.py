"""`entrapprendre web` as a process of its own."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

SCRIPT = Path(sys.executable).with_name("entrapprendre")


@dataclass
class Running:
    """The process, and where it says it is."""

    process: subprocess.Popen[str]
    address: str

    def get(self, path: str, **headers: str) -> httpx2.Response:
        return httpx2.get(self.address.rstrip("/") + path, headers=headers, timeout=10)


@contextmanager
def running(*arguments: str) -> Iterator[Running]:
    """Serve on any free port until the end of the block; settings come from the environment."""
    with subprocess.Popen(
        [SCRIPT, "web", "--port", "0", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            found = re.search(r"http://\S+", said)
            assert found is not None, said + process.stderr.read()
            yield Running(process, found.group())
        finally:
            process.kill()
