"""Logs as JSON lines: a moment, what happened, on whose request; never an exception's text, which may name people."""

import json
import logging
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The request that is being answered; empty outside one."""

_OURS = Path(__file__).parents[1]


class JsonLines(logging.Formatter):
    """One line a record; `extra={"data": {...}}` adds to it."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "data", {}),
        }
        if known := request_id.get():
            line["request_id"] = known
        if record.exc_info and record.exc_info[1]:
            line |= {"error": type(record.exc_info[1]).__name__, "stack": _stack(record.exc_info[1])}
        return json.dumps(line, ensure_ascii=False)


def _stack(error: BaseException) -> list[str]:
    """Return where an error came from, without a word of what it was about."""
    return [f"{_short(frame.filename)}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]


def _short(name: str) -> str:
    path = Path(name)
    return str(path.relative_to(_OURS)) if path.is_relative_to(_OURS) else path.name


def to_stderr(told: str) -> None:
    """Have this process log as JSON lines on standard error: all that `told` says, of others what is wrong."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(told).setLevel(logging.INFO)
