"""A draft by ChatGPT, through OpenAI's own client. Only facts are sent; what comes back is checked, and read.

Off unless somebody asks for it and the key is set. The client tries again by itself after 429 and faults of the server.
"""

from strades_pipelines.settings import missing_secret, secret, settings
from strades_pipelines.sharing.article import Facts, check_draft

KEY = "OPENAI_API_KEY"
SECONDS = 30.0  # for one answer
RETRIES = 2
INSTRUCTIONS = (
    "Write two or three plain paragraphs for traders about the result of a backtest, in English. Use only the facts "
    "that are given. Write each figure exactly as it is given, in digits; no other number, in digits or in words, and "
    "nothing that is worked out from them. No advice, no promise, no headline, no list."
)


class ServiceFailed(RuntimeError):
    """The service gave no draft; one line on why and what to do."""


def chatgpt_draft(facts: Facts) -> str:
    """A draft that says nothing but the facts' numbers.

    Raises:
        ServiceFailed: no key, no client, no answer.
        DraftRefused: the answer has another number.
    """
    key = secret(KEY)
    if key is None:
        raise ServiceFailed(missing_secret(KEY))
    try:
        import openai
    except ImportError:
        raise ServiceFailed("OpenAI's client is not installed: pip install 'strades[articles]'") from None
    told = "\n".join(facts.lines())
    try:
        client = openai.OpenAI(api_key=key, base_url=settings().openai_url, timeout=SECONDS, max_retries=RETRIES)
        answer = client.chat.completions.create(
            model=settings().openai_model,
            messages=[{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": told}],
        )
        choice = answer.choices[0]
        text, reason = choice.message.content, choice.finish_reason
    except openai.OpenAIError as error:
        raise ServiceFailed(f"{settings().openai_url}: {_said(error)}") from None
    except (AttributeError, IndexError, TypeError, ValueError):
        raise ServiceFailed(f"{settings().openai_url}: expected a completion, found something else") from None
    # A text that was cut may say something else than the whole one.
    if reason != "stop" or not text:
        raise ServiceFailed(f"{settings().openai_url}: expected a whole text, found one that ended by {reason!r}")
    return check_draft(text, facts)


def _said(error: Exception) -> str:
    """A line for an error, without the key, which some answers repeat a part of."""
    status = getattr(error, "status_code", None)
    hints = {401: "the key is not taken", 403: "the key may not do this", 404: "there is no such model",
             429: "too many requests, or no credit"}  # fmt: skip
    if status is not None:
        return f"it answers {status}" + (f": {hints[status]}" if status in hints else "")
    return f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
