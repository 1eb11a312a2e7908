"""E-mail addresses that mail can be sent to as they are written: the plain ones, without comments or quotes."""

import re

# RFC 5321's dot-string and domain in ASCII, with a dot in the domain. What a mailer could read otherwise (a comment in
# parentheses, a quoted local part) would reach somebody else.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?=.{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*\.[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]")
_LONGEST = 254


def is_address(text: str) -> bool:
    """Tell whether mail can be addressed to this: one plain address and nothing else."""
    return len(text) <= _LONGEST and _ADDRESS.fullmatch(text) is not None
