"""Cancel an order: a form asks, a row of trading.commands is left, as with a halt."""

from uuid import uuid4

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from dashboard.gateway.commands import read_order
from dashboard.gateway.reading import snapshot
from dashboard.trades.commands import ask
from strades_pipelines.brokerage.command_log import Scope


class CancelForm(forms.Form):
    """Why an order is cancelled. The key makes the form one command, however often it is sent."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=300,
        help_text=gettext_lazy("Kept with your name and the time; everybody sees it."),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, intent_id: str) -> HttpResponse:
    """Ask to cancel an order; of one that is over, or in doubt, the page says why there is nothing to ask."""
    with snapshot():
        order = None if "\0" in intent_id else read_order(intent_id)
    if order is None:
        raise Http404
    is_sent = request.method == "POST"
    form = CancelForm(request.POST if is_sent else None, initial={"key": uuid4()})
    status = 200
    if is_sent:
        status = 400
        if form.is_valid():
            scope = Scope("wallet", order.wallet)
            # The same form again leads to its command, whatever has become of the order by then.
            command = ask(request, "cancel", scope, form.cleaned_data, intent_id=intent_id)
            if command is not None:
                return redirect("command", command.request_key)
            status = 409
            form.add_error(None, _("This form was used for something else before; open it again."))
    return render(request, "trades/cancel.html", {"order": order, "form": form}, status=status)
