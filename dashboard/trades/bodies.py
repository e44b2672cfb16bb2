"""The stored bytes of a fetch: where they came from, whether they hold, how they begin."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.gateway.bodies import preview, read_body, read_fetch
from dashboard.gateway.reading import snapshot

# PostgreSQL's bigint; a larger number in the address is the id of nothing.
LARGEST_ID = 2**63 - 1


@require_safe
def body(request: HttpRequest, fetch_id: int) -> HttpResponse:
    """The page of a fetch. Its text is shown escaped, whatever it holds."""
    with snapshot():
        fetch = read_fetch(fetch_id) if fetch_id <= LARGEST_ID else None
    if fetch is None:
        raise Http404
    return render(request, "trades/body.html", {"fetch": fetch, "preview": preview(fetch)})


@require_safe
def download(request: HttpRequest, fetch_id: int) -> HttpResponse:
    """The bytes as they came, as a file to save: a browser never opens them as a page of ours."""
    try:
        if fetch_id > LARGEST_ID:
            raise LookupError
        content = read_body(fetch_id)
    except LookupError:
        raise Http404 from None
    response = HttpResponse(content, content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="fetch-{fetch_id}.bin"'
    return response
