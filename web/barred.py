"""Refusals of the frame itself: before anything of the programme was asked."""

from collections.abc import Mapping
from http import HTTPStatus

from core.errors import ProductError


class Barred(ProductError):
    """The request goes no further; `status` and `headers` are those of the answer."""

    def __init__(
        self, code: str, status: HTTPStatus, headers: Mapping[str, str] | None = None, /, **params: object
    ) -> None:
        """Keep how to answer beside the code."""
        super().__init__(code, **params)
        self.status = status
        self.headers = dict(headers or {})
