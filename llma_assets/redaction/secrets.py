"""Keys, tokens and passwords: by the prefix of a vendor, by the name that they are assigned to, inside an address."""

import re

API_KEY, JWT, PASSWORD, SECRET = "[api key]", "[jwt]", "[password]", "[secret]"

# A literal that a text must hold, and the pattern that starts with it: Python's `in` and a pattern's literal prefix
# are many times faster than one pattern of all of them. The lookbehind comes after the literal to keep it a prefix.
# The lengths are short of those of a whole key, because a trace may have been cut inside one.
_KEYS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (literal, re.compile(pattern))
    for literal, pattern in [
        # OpenAI (sk-, sk-proj-, sk-svcacct-), Anthropic (sk-ant-), OpenRouter (sk-or-) and others; a digit, because
        # words are joined with hyphens, too.
        ("sk-", r"sk-(?<![A-Za-z0-9]sk-)(?=[A-Za-z_-]{0,60}[0-9])[A-Za-z0-9_-]{16,}+"),
        # AWS: access key ids.
        ("AKIA", r"AKIA(?<![A-Za-z0-9]AKIA)[0-9A-Z]{12,}+"),
        ("ASIA", r"ASIA(?<![A-Za-z0-9]ASIA)(?=[A-Z]{0,20}[0-9])[0-9A-Z]{12,}+"),
        # GitHub, GitLab.
        ("gh", r"gh[pousr]_(?<![A-Za-z0-9]....)[A-Za-z0-9]{16,}+"),
        ("github_pat_", r"github_pat_[A-Za-z0-9_]{16,}+"),
        ("glpat-", r"glpat-[A-Za-z0-9_.-]{12,}+"),
        # Slack and Discord: tokens and addresses that anybody may post to.
        ("xox", r"xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,}+"),
        ("xapp-", r"xapp-[A-Za-z0-9-]{10,}+"),
        ("hooks.slack.com/", r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9_/-]{8,}+"),
        ("/api/webhooks/", r"/api/webhooks/[0-9]{10,}+/[A-Za-z0-9_-]{8,}+"),
        # Stripe.
        ("sk_live_", r"sk_live_[A-Za-z0-9]{10,}+"),
        ("rk_live_", r"rk_live_[A-Za-z0-9]{10,}+"),
        ("sk_test_", r"sk_test_[A-Za-z0-9]{10,}+"),
        ("rk_test_", r"rk_test_[A-Za-z0-9]{10,}+"),
        ("whsec_", r"whsec_[A-Za-z0-9+/]{10,}+={0,2}"),
        # Google: API keys, OAuth tokens and client secrets.
        ("AIza", r"AIza(?<![A-Za-z0-9]AIza)[0-9A-Za-z_-]{20,}+"),
        ("ya29.", r"ya29\.(?<![A-Za-z0-9]ya29\.)[0-9A-Za-z_-]{20,}+"),
        ("GOCSPX-", r"GOCSPX-[0-9A-Za-z_-]{16,}+"),
        # Hugging Face, Groq, xAI, Perplexity, NVIDIA, Replicate.
        ("hf_", r"hf_(?<![A-Za-z0-9]hf_)[A-Za-z0-9]{20,}+"),
        ("gsk_", r"gsk_(?<![A-Za-z0-9]gsk_)[A-Za-z0-9]{20,}+"),
        ("xai-", r"xai-(?<![A-Za-z0-9]xai-)[A-Za-z0-9]{20,}+"),
        ("pplx-", r"pplx-[A-Za-z0-9]{20,}+"),
        ("nvapi-", r"nvapi-[A-Za-z0-9_-]{20,}+"),
        ("r8_", r"r8_(?<![A-Za-z0-9]r8_)[A-Za-z0-9]{20,}+"),
        # Twilio: account and key ids; SendGrid.
        ("SK", r"SK(?<![A-Za-z0-9]SK)[0-9a-f]{32}(?![A-Za-z0-9])"),
        ("AC", r"AC(?<![A-Za-z0-9]AC)[0-9a-f]{32}(?![A-Za-z0-9])"),
        ("SG.", r"SG\.(?<![A-Za-z0-9]SG\.)[A-Za-z0-9_-]{16,}+(?:\.[A-Za-z0-9_-]{0,}+)?"),
        # Package registries, PostHog, Databricks, Shopify, DigitalOcean.
        ("npm_", r"npm_(?<![A-Za-z0-9]npm_)[A-Za-z0-9]{20,}+"),
        ("pypi-AgE", r"pypi-AgE[A-Za-z0-9_-]{10,}+"),
        ("ph", r"ph[cxsar]_(?<![A-Za-z0-9]....)(?=[A-Za-z]{0,60}[0-9])[A-Za-z0-9]{20,}+"),
        ("dapi", r"dapi(?<![A-Za-z0-9]dapi)[0-9a-f]{30,}+"),
        ("shp", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{16,}+"),
        ("dop_v1_", r"dop_v1_[0-9a-f]{16,}+"),
    ]
)

# `eyJ` is how base64 writes `{"`. Two parts (cut) to five (encrypted).
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{14,}+(?:\.[A-Za-z0-9_-]*+){0,4}")

# user:password@ in an address; the user goes, too.
_URL_LOGIN = re.compile(r"://[^\s/:@?#\"'<>]{0,128}+:[^\s/@\"'<>]{1,256}+@")
# The signature of a shared address of Azure storage.
_SIGNATURE = re.compile(r"sig=(?<=[?&;]sig=)[A-Za-z0-9%+/=_-]{16,}+")
_ELEMENT = re.compile(
    r"<(?P<name>[\w:.-]{0,40}?(?:(?P<password>password|passwd|pwd)|secret|token|key))>(?P<value>[^<\n]{4,256}+)(?=</)",
    re.IGNORECASE,
)

_SCHEMES = {"basic", "bearer", "token", "apikey", "api-key", "key", "digest", "negotiate", "hmac"}
_BEARER = re.compile(r"[bB](?:earer|EARER)[ \t]{1,4}(?P<value>[A-Za-z0-9._~+/=-]{12,}+)")
_AUTHORIZATION = re.compile(
    r"[aA](?:uthorization|UTHORIZATION)\\{0,4}[\"']?[ \t]{0,4}[:=][ \t]{0,4}\\{0,4}[\"']?"
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9-]{1,20})[ \t]{1,4})?(?P<value>[^\s\"'\\,;\[\]<>{}]{6,}+)"
)

# Names that announce a secret. A match starts with a rare letter in the middle of the name, and looks back.
_NAME = (
    r"[pPcCkK](?:"
    r"(?<=[pP])(?P<password>[aA][sS][sS](?:[wW][oO][rR][dD]|[wW][dD]|[pP][hH][rR][aA][sS][eE])|[wW][dD])[0-9]?"
    r"|(?<=[sS][eE][cC])(?P<secret>[rR][eE][tT])"
    r"|(?<=[cC])(?P<credential>[rR][eE][dD][eE][nN][tT][iI][aA][lL][sS]?)"
    r"|(?<=[kK])(?P<key>[eE][yY])"
    r"|(?<=[tT][oO][kK])(?P<token>[eE][nN])"
    r")(?![A-Za-z0-9_])"
)
# A value in quotation marks runs to the same mark (in JSON inside JSON both are escaped) or to the end of the line.
# The repeats in quotation marks are plain: possessive ones over a choice stop early in Python 3.11.2, which Debian 12
# has. Nothing follows them and their choices exclude each other, so they never go back.
_ASSIGNED = re.compile(
    _NAME + r"\\{0,4}[\"'`*]{0,3}\]?[ \t]{0,4}(?P<sign>=>|:=|==?|:|is(?=[ \t]))\*{0,2}[ \t]{0,4}"
    r"(?:\\{1,4}[\"'](?P<escaped>(?:[^\"'\\\n]|\\{1,4}+(?![\"'\\]))*)"
    r"|\"(?P<double>(?:[^\"\\\n]|\\[^\n])*)"
    r"|'(?P<single>(?:[^'\\\n]|\\[^\n])*)"
    r"|(?P<bare>[^\s\"'\\,;&]++))"
)
# Of keys and tokens, those that are secrets by their name alone.
_SECRET_BEFORE = re.compile(
    r"(?:api|access|secret|private|account|auth|client|signing|encryption|subscription|master|shared|storage|webhook"
    r"|refresh|bearer|session|csrf|bot|id|personal)[_. -]?(?:access[_. -]?)?\Z",
    re.IGNORECASE,
)
_HAS_DIGIT, _HAS_ODD = re.compile("[0-9]"), re.compile(r"[0-9!@#$%^&*?+]")
_HAS_UPPER, _HAS_LOWER = re.compile("[A-Z]"), re.compile("[a-z]")
_HEX_KEY = re.compile(r"[0-9a-fA-F]{32,}")
_KEY_CHARS = re.compile(r"[A-Za-z0-9_+/=.~:-]{16,}")
# Stand-ins, types and code; not values.
_NO_VALUE = re.compile(
    r"(?:none|null|nil|undefined|true|false|str|string|int|bool|bytes|text|optional|any|your|required|x+)[|?]?"
    r"|[^A-Za-z0-9]*|[<{$%(].*|[,)].*|(?:self|this|os|env|process|config|settings|args|kwargs|request|user|data)\..*"
    r"|[A-Za-z_][A-Za-z0-9_.]*[(\[].*|your[_-].*",
    re.IGNORECASE,
)
_MARKED = re.compile(r"\[[A-Za-z0-9 _.-]{1,40}\]")


def redact_tokens(text: str) -> str:
    """`text` without signed tokens (JWT) and the keys of the vendors."""
    if "eyJ" in text:
        text = _JWT.sub(JWT, text)
    for literal, pattern in _KEYS:
        if literal in text:
            text = pattern.sub(API_KEY, text)
    return text


def redact_assignments(text: str) -> str:
    """`text` without the values of passwords and keys, named as such, and without logins in addresses."""
    if "://" in text and "@" in text:
        text = _URL_LOGIN.sub(f"://{PASSWORD}@", text)
    if "sig=" in text:
        text = _SIGNATURE.sub(f"sig={API_KEY}", text)
    if "uthorization" in text or "UTHORIZATION" in text:
        text = _AUTHORIZATION.sub(_after_scheme, text)
    if "earer" in text or "EARER" in text:
        text = _BEARER.sub(_after_scheme, text)
    if "</" in text:
        text = _ELEMENT.sub(_element, text)
    return _ASSIGNED.sub(_assigned, text)


def secret_kind(name: str, value: str) -> str | None:
    """The placeholder for a value, by the name that it has in an object; None where it is no secret."""
    # As an assignment, so that a name means the same in both places.
    found = _ASSIGNED.search(f'{name[-200:]}="')
    if found is None or found.end() != min(len(name), 200) + 2:
        return None
    return _kind(found, value, is_quoted=True)


def _after_scheme(match: re.Match[str]) -> str:
    value = match["value"]
    is_scheme = (match.groupdict().get("scheme") or "").lower() in _SCHEMES
    if not is_scheme and len(value) < 16 and not _HAS_DIGIT.search(value) and "=" not in value:
        return match[0]
    return match[0][: match.start("value") - match.start()] + API_KEY


def _element(match: re.Match[str]) -> str:
    value = match["value"]
    if _MARKED.fullmatch(value) or _NO_VALUE.fullmatch(value):
        return match[0]
    return f"<{match['name']}>{PASSWORD if match['password'] else SECRET}"


def _assigned(match: re.Match[str]) -> str:
    group = match.lastgroup or "bare"
    value = match[group]
    is_quoted = group != "bare"
    if not is_quoted:
        value = value.rstrip(".)]}>`*") if not _MARKED.fullmatch(value) else value
        if match["password"] and not _is_bare_password(match, value):
            return match[0]
    kind = _kind(match, value, is_quoted)
    if kind is None:
        return match[0]
    start = match.start(group) - match.start()
    return match[0][:start] + kind + match[0][start + len(value) :]


def _kind(match: re.Match[str], value: str, is_quoted: bool) -> str | None:
    if not value or _MARKED.fullmatch(value) or _NO_VALUE.fullmatch(value):
        return None
    if match["password"]:
        return PASSWORD
    if len(value) < 8 or not _KEY_CHARS.fullmatch(value.ljust(16, "_")):
        return None
    has_digit = bool(_HAS_DIGIT.search(value))
    if match["secret"] or match["credential"]:
        return SECRET if has_digit or is_quoted else None
    start = match.start() - (2 if match["token"] else 0)
    if _SECRET_BEFORE.search(match.string[max(0, start - 24) : start]):
        return API_KEY if has_digit or is_quoted else None
    mixed = has_digit and bool(_HAS_LOWER.search(value)) and (bool(match["token"]) or bool(_HAS_UPPER.search(value)))
    return API_KEY if _HEX_KEY.fullmatch(value) or (mixed and len(value) >= 16) else None


def _is_bare_password(match: re.Match[str], value: str) -> bool:
    """Whether a word after `password:` is one, and not the next word of a sentence or a name in code."""
    if value.lower().endswith(("password", "passwd", "pwd", "passphrase")):
        return False
    if match["sign"] == "is":
        return bool(_HAS_ODD.search(value))
    followed_by = match.string[match.end() : match.end() + 1]
    return match["sign"] != ":" or bool(_HAS_ODD.search(value)) or followed_by in ("", "\n", "\r", ",", ";", "&")
