"""What `strades up` asks: whether this process and the database behind it answer."""

from django.db import connection
from django.http import HttpRequest, HttpResponse


def health(request: HttpRequest) -> HttpResponse:
    """200 where a query is answered; an error of the database is a 500 or 503, which the prober reports."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok\n", content_type="text/plain")
