"""What a part finds in its environment."""

from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.supervision.environment import for_dagster, without_secrets

SECRETS = ("DATABASE_URL", "DAGSTER_PG_URL", "STRADES_ALERT_WEBHOOK", "STRADES_ALERT_SMTP", "STRADES_SPIDER_DATABASE")


@given(st.sampled_from(SECRETS) | st.from_regex(r"[A-Z]{1,9}_(KEY|TOKEN|SECRET|PASSWORD)", fullmatch=True))
def test_secrets_and_what_nobody_named_are_left_out(name: str) -> None:
    assert without_secrets({name: "geheim", "PATH": "/bin", "STRADES_WORLD": "live"}) == {
        "PATH": "/bin",
        "STRADES_WORLD": "live",
    }


def test_dagsters_own_parts_get_the_url_of_its_database_alone() -> None:
    whole = dict.fromkeys(SECRETS, "geheim")
    assert for_dagster(whole) == {"DAGSTER_PG_URL": "geheim"}
