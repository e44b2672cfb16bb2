"""Signing in through another provider by OpenID Connect: allauth's flow, with every check of the ID token.

Allauth takes a token that came straight from the provider as it is. Here its signature, issuer, audience, age and nonce
are looked at whatever the way it came: OpenID Connect Core 1.0, 3.1.3.7. Allauth finds this module by its name.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import jwt
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.oauth2.client import OAuth2Client, OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import HttpRequest
from django.urls import reverse
from requests import RequestException

PROVIDER = "openid"  # the key of `settings.SOCIALACCOUNT_PROVIDERS`
# No HMAC, whose key would be the client's secret or, in a famous mistake, the provider's public key; and not `none`.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
CLOCKS_APART_SECONDS = 30
LATEST = 2**53  # of Unix seconds; beyond it a float of JSON is no whole number
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
AUTH_TIME = "auth_time"  # when the person proved himself to the provider, in Unix seconds; in claims and in extra_data
# The provider asks the person again, and says when (OpenID Connect Core 1.0, 3.1.2.1: `auth_time` is required then).
ASK_AGAIN = {"prompt": "login", "max_age": "0"}


MOST_LETTERS_OF_SUB = 191  # as SocialAccount.uid; OpenID Connect Core 1.0, 2, allows 255 of ASCII


class OpenIdRefused(OAuth2Error):
    """What a provider answered is no proof of who somebody is; the text says why."""


@contextmanager
def _readable(what: str) -> Iterator[None]:
    """Refuse an answer of another shape: its readers, allauth's and PyJWT's, raise whatever they stumble over."""
    try:
        yield
    except (OAuth2Error, RequestException):
        raise
    except (TypeError, ValueError, KeyError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise OpenIdRefused(f"{what} cannot be read: {type(error).__name__}") from error


def _is_address(value: Any, issuer: str) -> bool:
    """Whether it is an http address of printable letters, with TLS where the issuer has it."""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        return False
    schemes = ("https",) if issuer.startswith("https:") else ("https", "http")
    parts = urlsplit(value)
    return parts.scheme in schemes and bool(parts.hostname)


def _printable(text: str) -> str:
    """Without NUL and lone surrogates, which PostgreSQL refuses, and without what turns a line around."""
    return "".join(letter for letter in text if letter.isprintable())


def nonce_of(state: str) -> str:
    """The nonce that belongs to a state: the session knows the state, once, and nobody else."""
    return hashlib.sha256(f"nonce:{state}".encode()).hexdigest()


def has_signed_in_within(seconds: float, extra_data: dict[str, Any], *, until: float | None = None) -> bool:
    """Whether the provider said that it asked the person himself so lately; without its word it did not.

    A provider with a session of its own hands out a new ID token without a question, to whoever sits at the browser.

    Args:
        until: when the browser came back from there, Unix seconds, None for now: what the person proved later, in
            another browser, is no proof for this one.
    """
    now = time.time()
    at, latest = extra_data.get(AUTH_TIME), min(now, now if until is None else until)
    return isinstance(at, int) and now - at < seconds and at <= latest + CLOCKS_APART_SECONDS


class _Client(OAuth2Client):
    def get_redirect_url(self, authorization_url: str, scope: list[str], extra_params: dict[str, str]) -> str:
        with_nonce = {**extra_params, "nonce": nonce_of(str(self.state))}
        return str(super().get_redirect_url(authorization_url, scope, with_nonce))


class OpenIdAdapter(OpenIDConnectOAuth2Adapter):
    """The provider's addresses and what it says of a person."""

    client_class = _Client

    @property
    def openid_config(self) -> dict[str, Any]:
        """What the provider says of itself, asked once a request.

        Raises:
            OpenIdRefused: it speaks for another issuer, or lacks an address.
            RequestException: it does not answer.
        """
        with _readable("its discovery document"):
            config: dict[str, Any] = super().openid_config
            if not all(_is_address(config.get(name), self.provider_id) for name in ENDPOINTS):
                raise OpenIdRefused("its discovery document lacks an address")
            if str(config.get("issuer")).rstrip("/") != self.provider_id:
                raise OpenIdRefused(f"it is {str(config.get('issuer'))[:100]!r}, not {self.provider_id!r}")
        return config

    @property
    def basic_auth(self) -> bool:
        """Whether the client's secret is sent in a header: where the provider takes it no other way."""
        with _readable("its discovery document"):
            return bool(super().basic_auth)

    def get_access_token_data(self, request: HttpRequest, app: Any, client: Any, pkce_code_verifier: Any = None) -> Any:
        """The provider's answer to the code that the browser brought."""
        with _readable("its answer to the code"):
            return super().get_access_token_data(request, app, client, pkce_code_verifier=pkce_code_verifier)

    def parse_token(self, data: Any) -> Any:
        """The access token, which is not used: allauth wants one."""
        with _readable("its answer to the code"):
            return super().parse_token(data)

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        """The address that the provider has to know as ours."""
        return str(request.build_absolute_uri(reverse("openid_callback")))

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **names: Any) -> Any:
        """The person of an ID token; access tokens are not used."""
        id_token = names["response"].get("id_token")
        if not isinstance(id_token, str):
            raise OpenIdRefused("it sent no ID token")
        claims = self._verified_claims(id_token, app.client_id, nonce_of(request.GET.get("state", "")))
        return self.get_provider().sociallogin_from_response(request, claims)

    def _verified_claims(self, id_token: str, client_id: str, nonce: str) -> dict[str, Any]:
        with get_adapter().get_requests_session() as session:
            answer = session.get(self.openid_config["jwks_uri"])
            answer.raise_for_status()
        with _readable("its ID token"):
            try:
                # The header is not trusted: it only chooses among the provider's own keys.
                key = jwt.PyJWKSet.from_dict(answer.json())[jwt.get_unverified_header(id_token)["kid"]]
                claims: dict[str, Any] = jwt.decode(
                    id_token,
                    key,
                    algorithms=ALGORITHMS,
                    audience=client_id,
                    issuer=self.openid_config["issuer"],
                    leeway=CLOCKS_APART_SECONDS,
                    options={"require": ["iss", "sub", "aud", "exp", "iat"]},
                )
            except jwt.PyJWTError as error:
                raise OpenIdRefused(f"its ID token is not valid: {type(error).__name__}") from error
        if claims.get("azp", client_id) != client_id:
            raise OpenIdRefused("its ID token is for another client")
        if claims.get("nonce") != nonce:
            raise OpenIdRefused("its ID token is for another sign-in")
        sub = claims["sub"]
        if not isinstance(sub, str) or not 0 < len(sub) <= MOST_LETTERS_OF_SUB or not sub.isprintable():
            raise OpenIdRefused(f"its `sub` is not a name of 1 to {MOST_LETTERS_OF_SUB} printable letters")
        return claims


class OpenIdProvider(OpenIDConnectProvider):
    """The one provider that the settings may name."""

    id = PROVIDER
    oauth2_adapter_class = OpenIdAdapter
    supports_token_authentication = False

    def get_login_url(self, request: HttpRequest, **_names: Any) -> str:
        """Where signing in begins, by POST."""
        return str(reverse("openid_sign_in"))

    def get_callback_url(self) -> str:
        """Where it ends."""
        return str(reverse("openid_callback"))

    def extract_uid(self, data: dict[str, Any]) -> str:
        """Who it is at the issuer, for ever; names and addresses change hands."""
        return str(data["sub"])

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        """What *My account* shows of it."""
        shown = data.get("preferred_username") or data.get("email") or data.get("name") or data["sub"]
        at = data.get(AUTH_TIME)
        told = {AUTH_TIME: int(at)} if isinstance(at, int | float) and abs(at) < LATEST else {}
        return {"name": _printable(str(shown))[:200], **told}

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        """What a new account is filled in with. No `email`: by that name allauth would take it for a proof."""
        names = {"surname": "family_name", "given_name": "given_name", "address": "email", "name": "name"}
        return {ours: _printable(text) for ours, theirs in names.items() if isinstance(text := data.get(theirs), str)}

    def extract_email_addresses(self, data: dict[str, Any]) -> list[Any]:
        """None: nobody is found by an address, verified or not."""
        return []


provider_classes = [OpenIdProvider]
