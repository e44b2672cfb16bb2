"""A listing compared with its peers: figures by hand, and of nothing that was not known."""

import numpy as np
import pytest

from strades_pipelines.predictor.families.cross_section import CROSS_SECTION, Compared, compare
from strades_pipelines.predictor.feature_inputs import Times
from strades_pipelines.predictor.windows import Floats

DAY = np.datetime64("2024-01-02")


def compared(returns: list[float], *, venues: list[int] | None = None, hours: list[int] | None = None) -> Compared:
    """Listings 1, 2, ... with these returns in one session, decided at these hours."""
    count = len(returns)
    decided: Times = (DAY.astype("datetime64[us]") + np.array(hours or [0] * count).astype("timedelta64[h]")).astype(
        "datetime64[us]"
    )
    values: dict[str, Floats] = {feature.of: np.array(returns) for feature in CROSS_SECTION}
    listings = np.arange(1, count + 1)
    return compare(values, np.array(venues or [0] * count), listings, np.full(count, DAY), decided)


def test_rank_is_the_share_of_peers_below_with_ties_half() -> None:
    found = compared([0.1, 0.3, 0.3, 0.2, np.nan]).features["rank_return_1"]
    assert found[:4] == pytest.approx([0 / 3 - 0.5, 2.5 / 3 - 0.5, 2.5 / 3 - 0.5, 1 / 3 - 0.5])
    assert np.isnan(found[4])


def test_excess_is_over_the_mean_of_the_others() -> None:
    found = compared([0.1, 0.2, 0.6])
    assert found.features["peers_return_1"] == pytest.approx([0.4, 0.35, 0.15])
    assert found.features["excess_return_1"] == pytest.approx([-0.3, -0.15, 0.45])


def test_other_venues_are_no_peers_and_a_single_listing_has_none() -> None:
    found = compared([0.1, 0.2, 0.3], venues=[0, 0, 1])
    assert found.features["rank_return_1"][:2].tolist() == [-0.5, 0.5]
    assert all(np.isnan(column[2]) for column in found.features.values())


def test_a_peer_that_is_known_later_is_left_out_of_earlier_ranks_and_has_its_own() -> None:
    found = compared([0.1, 0.2, 0.3], hours=[0, 0, 5])
    assert found.features["rank_return_1"].tolist() == [-0.5, 0.5, 0.5]
    assert found.features["peers_return_1"] == pytest.approx([0.2, 0.1, 0.15])
    hours = (found.newest - DAY.astype("datetime64[us]")) // np.timedelta64(1, "h")
    assert hours.tolist() == [0, 0, 5]
    other = compared([0.1, 0.2, 0.9], hours=[0, 0, 5])
    assert found.seen[:2] == other.seen[:2]
    assert compared([0.1, 0.25, 0.3], hours=[0, 0, 5]).seen[0] != found.seen[0]
