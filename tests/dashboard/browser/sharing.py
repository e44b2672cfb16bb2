"""A bundle in the shop of the installation that the tests of a browser share."""

from uuid import UUID

from strades_pipelines.sharing.bundle_file import Bundle
from tests.dashboard.browser.world import NOW
from tests.dashboard.conftest import hashed_password, point_at, restored


def share_bundle(database: str, bundle: Bundle, *, holder: str) -> None:
    """Have somebody publish a bundle that `holder` has; one that is there already stays."""
    with restored():
        point_at(database)
        from dashboard.accounts.models import User
        from dashboard.shop.models import Grant, Item

        owner, _ = User.objects.get_or_create(
            pseudo="heidi", defaults={"password": hashed_password(), "role": "analyst"}
        )
        manifest = bundle.manifest
        values = {
            "key": UUID(int=1),
            "owner": owner,
            "body": bundle.body,
            "manifest": manifest.encoded().decode(),
            "way": "free",
            "state": "published",
            "uploaded_at": NOW,
            "published_at": NOW,
        }
        item, _ = Item.objects.get_or_create(
            author_key=manifest.author_key,
            name=manifest.name,
            version=manifest.version,
            sha256=bundle.sha256,
            defaults=values,
        )
        person = User.objects.get(pseudo=holder)
        Grant.objects.get_or_create(
            item=item, person=person, defaults={"state": "granted", "asked_at": NOW, "answered_at": NOW}
        )


def store_body(database: str, bundle: Bundle, body: bytes) -> None:
    """Put other bytes in the place of a stored bundle, as a fault of a disk or of a person would."""
    with restored():
        point_at(database)
        from dashboard.shop.models import Item

        Item.objects.filter(sha256=bundle.sha256).update(body=body)
