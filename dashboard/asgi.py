"""The dashboard as an ASGI application."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

from dashboard.body_limit import BodyLimit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
application = BodyLimit(
    get_asgi_application(),
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
    {settings.UPLOAD_PATH: settings.FILE_UPLOAD_MAX_MEMORY_SIZE},
)
