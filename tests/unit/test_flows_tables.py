"""Keys of the tables that the handoffs flow leaves: Prefect takes small letters, digits and hyphens only."""

import pytest

from flows.tables import key_of


@pytest.mark.parametrize(
    ("code", "key"),
    [("CECAFOC", "handoffs-cecafoc"), ("Cœur d’Élan (2)", "handoffs-coeur-d-elan-2"), ("A_B", "handoffs-a-b")],
)
def test_key_of_an_institute_s_table_is_one_that_prefect_takes(code: str, key: str) -> None:
    assert key_of(code) == key
