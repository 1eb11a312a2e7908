"""The first sheet of a spreadsheet, read by a process of its own that may take so much memory and time and no more.

The reader lays out the whole rectangle up to the last cell, with a copy of its text in each: three kilobytes can ask
for half a terabyte, which ends the process that asks, without an exception. So `rows` asks a child to do it.
"""

import json
import subprocess
import sys
from datetime import date, datetime
from io import BytesIO

MEMORY = 1 << 30  # bytes; fifty thousand rows of an honest file need a tenth of it
SECONDS = 60
_DAMAGED, _TOO_MUCH = 3, 4


class DamagedError(Exception):
    """No spreadsheet, or one that cannot be read."""


class TooMuchError(Exception):
    """Reading it would take more memory, or time, than any file that people send."""


def rows(data: bytes, most: int) -> list[list[str]]:
    """Return the cells of the first rows, as text; at most `most` rows. Raises DamagedError, TooMuchError."""
    command = [sys.executable, "-I", "-m", "documents.spreadsheet", str(most)]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise TooMuchError from error
    if done.returncode == _DAMAGED:
        raise DamagedError
    if done.returncode == _TOO_MUCH or done.returncode < 0:  # the system ended it
        raise TooMuchError
    if done.returncode != 0:  # it did not even start: no fault of the file
        raise RuntimeError(done.returncode)
    found: list[list[str]] = json.loads(done.stdout)
    return found


def _read(data: bytes, most: int) -> list[list[str]]:
    from python_calamine import CalamineWorkbook  # noqa: PLC0415 - only the child needs it

    sheet = CalamineWorkbook.from_filelike(BytesIO(data)).get_sheet_by_index(0)
    return [[_cell(cell) for cell in row] for row in sheet.to_python(skip_empty_area=False, nrows=most)]


def _cell(value: object) -> str:
    """Write a cell as the text somebody would have typed: whole numbers without a point, dates as ISO."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)


def _confine() -> None:
    """Take no more than our share, where the system can hold us to it."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - there is none elsewhere

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main() -> None:
    """Read a spreadsheet from the standard input and write its rows as JSON."""
    _confine()
    try:
        found = _read(sys.stdin.buffer.read(), int(sys.argv[1]))
        sys.stdout.write(json.dumps(found))
    except MemoryError:
        sys.exit(_TOO_MUCH)
    except BaseException:  # noqa: BLE001 - whatever the reader makes of damage; a panic of Rust's is no Exception
        sys.exit(_DAMAGED)


if __name__ == "__main__":
    main()
