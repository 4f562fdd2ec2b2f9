"""What names a person or a place on the net: email, card, bank account, telephone number, address."""

import re
from ipaddress import IPv6Address

EMAIL, CARD, IBAN, IP, PHONE = "[email]", "[card]", "[iban]", "[ip]", "[phone]"

# --- email ---------------------------------------------------------------------------------------

# From the sign on: to search for names before it would try every word of the text.
_EMAIL_DOMAIN = re.compile(r"(?:@|%40)([^\W_][\w-]{0,62}+(?:\.[^\W_][\w-]{0,62}+){1,8}+)")
_TOP_LEVEL = re.compile(r"[^\W\d_]{2}")
_EMAIL_NAME_REVERSED = re.compile(r"[\w.+%~-]{1,256}+")


def redact_emails(text: str) -> str:
    """`text` without email addresses."""
    if "@" not in text and "%40" not in text:
        return text
    parts, done = [], 0
    for match in _EMAIL_DOMAIN.finditer(text):
        start, end = match.span()
        domain = match[1]
        # `react@18.2.0` is a version; in `a@b.com.2` a number follows.
        while domain and not _TOP_LEVEL.match(domain, domain.rfind(".") + 1):
            domain = domain.rpartition(".")[0]
        end -= len(match[1]) - len(domain)
        if "." not in domain:
            continue
        name = _EMAIL_NAME_REVERSED.match(text[max(done, start - 256) : start][::-1])
        if name is None:
            continue
        begin = start - name.end()
        if text[begin - 1 : begin] == "\\" and text[begin] in "nrtu" and start - begin > 1:
            begin += 1
        parts += [text[done:begin], EMAIL]
        done = end
    return "".join(parts) + text[done:] if parts else text


# --- cards ---------------------------------------------------------------------------------------

# 13 to 19 digits in one piece, in groups of four, 4-6-5 and 4-6-4, or spelled out; not after a decimal point.
_CARD = re.compile(
    r"[2-6](?<![0-9+][2-6])(?<![0-9]\.[2-6])(?:"
    r"[0-9]{12,18}+"
    r"|[0-9]{3}(?P<gap>[ \xa0.-])(?:"
    r"[0-9]{4}(?P=gap)[0-9]{4}(?P=gap)[0-9]{1,7}+(?:(?P=gap)[0-9]{1,3}(?![0-9]))?|[0-9]{6}(?P=gap)[0-9]{4,5}+)"
    r"|(?:[ \xa0-][0-9]){12,18}+(?![ \xa0-][0-9])"
    r")(?![0-9])"
)
# Issuers' prefixes and lengths: Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay, Maestro, Mir.
_ISSUER = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})|(?:5[1-5]|2[2-7])[0-9]{14}|3[47][0-9]{13}|3[0689][0-9]{12}(?:[0-9]{2})?"
    r"|6(?:011|4[4-9]|5|2)[0-9]{12,16}|35[0-9]{14}|(?:50|5[6-8]|6[0-9])[0-9]{11,17}"
)
# The sum of the digits of twice a digit.
_DOUBLED = bytes([0, 2, 4, 6, 8, 1, 3, 5, 7, 9])
_TO_VALUES = bytes((number - 48) % 256 for number in range(256))


def is_card(digits: str) -> bool:
    """Whether a string of ASCII digits has the length, issuer and check digit (Luhn) of a payment card."""
    if not 13 <= len(digits) <= 19 or not _ISSUER.fullmatch(digits):
        return False
    values = digits.encode().translate(_TO_VALUES)[::-1]
    return (sum(values[::2]) + sum(values[1::2].translate(_DOUBLED + bytes(246)))) % 10 == 0


def redact_cards(text: str) -> str:
    """`text` without the numbers of payment cards."""
    parts, done = [], 0
    match = _CARD.search(text)
    while match:
        end = _card_end(match)
        if end:
            parts += [text[done : match.start()], CARD]
            done = end
        # What is no card may have one in it, one group further on.
        match = _CARD.search(text, end or match.start() + 1)
    return "".join(parts) + text[done:] if parts else text


def _card_end(match: re.Match[str]) -> int:
    """Where the card ends; 0 where there is none. A short number may follow it: `4111 1111 1111 1111 12`."""
    gap = match["gap"]
    if not gap:
        return match.end() if is_card(match[0].replace(" ", "").replace("\xa0", "").replace("-", "")) else 0
    head, _, tail = match[0].rpartition(gap)
    compact = head.replace(gap, "")
    if is_card(compact + tail):
        return match.end()
    return match.start() + len(head) if is_card(compact) else 0


# --- IBAN ----------------------------------------------------------------------------------------

# Lengths by country, from the registry of SWIFT (ISO 13616), release 99.
_IBAN_CHARS = {
    country: int(length)
    for country, length in re.findall(
        "([A-Z]{2})([0-9]{2})",
        "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27"
        "GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22"
        "MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28"
        "TL23TN24TR26UA29VA22VG24XK20YE30",
    )
}
# Starts at the check digits, which are rarer than letters.
_IBAN_START = re.compile(
    r"[0-9][0-9](?<=[A-Za-z]{2}[0-9]{2})(?<![A-Za-z0-9][A-Za-z]{2}[0-9]{2})(?=(?:[ \xa0-]?[A-Za-z0-9]){11})"
)


def redact_ibans(text: str) -> str:
    """`text` without international bank account numbers."""
    parts, done = [], 0
    for match in _IBAN_START.finditer(text):
        begin = match.start() - 2
        length = _IBAN_CHARS.get(text[begin : begin + 2].upper(), 0)
        if begin < done or not length:
            continue
        end = _iban_end(text, begin, length)
        if end:
            parts += [text[done:begin], IBAN]
            done = end
    return "".join(parts) + text[done:] if parts else text


def _iban_end(text: str, begin: int, length: int) -> int:
    """Where the account number of that many characters ends; 0 where there is none."""
    end, left = begin + 4, length - 4
    window = text[begin : begin + 2 * length + 1]
    compact = window[:4]
    for at, char in enumerate(window[4:], 4):
        if char in " \xa0-":
            if window[at - 1] in " \xa0-":
                return 0
            continue
        if not (char.isascii() and char.isalnum()):
            return 0
        compact += char
        left -= 1
        if not left:
            end = begin + at + 1
            break
    else:
        return 0
    after = text[end : end + 1]
    if after.isascii() and after.isalnum():
        return 0
    moved = compact[4:] + compact[:4]
    return end if int("".join(str(int(char, 36)) for char in moved)) % 97 == 1 else 0


# --- addresses on the net ------------------------------------------------------------------------

_IPV4 = re.compile(
    r"[0-9](?<![\w.+][0-9])(?<![A-Za-z]-[0-9])[0-9]{0,2}+\.[0-9]{1,3}+\.[0-9]{1,3}+\.[0-9]{1,3}+(?!\w|-[A-Za-z]|\.[0-9])"
)
_VERSION_BEFORE = re.compile(r"(?:version|release|\bver|\bv)[\"']?[ :=.\"']{0,4}\Z", re.IGNORECASE)
# Two colons close together; what is around them is looked at then.
_COLONS = re.compile(r":[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]")
_IPV6_CHARS = "0123456789abcdefABCDEF:."
_IPV6_RUN = re.compile(r"[0-9A-Fa-f:.]{1,46}+")
# Assigned prefixes: global, local, link-local, multicast, IPv4 in IPv6. `dec::add` is a name in a program.
_IPV6_PREFIX = re.compile(r"[23][0-9a-f]{3}:|f[cdef][0-9a-f]{2}:|64:ff9b:|::ffff:[0-9]", re.IGNORECASE)


def redact_addresses(text: str) -> str:
    """`text` without IPv4 and IPv6 addresses.

    Loopback (127.*, ::1), "any address" (0.0.0.0), masks (255.*) and what ends in .0.0.0, as versions of browsers
    do, name nobody and stay.
    """
    text = _IPV4.sub(_ipv4, text)
    parts, done = [], 0
    for match in _COLONS.finditer(text):
        at = match.start()
        if at < done:
            continue
        before = text[max(done, at - 46) : at]
        begin = at - (len(before) - len(before.rstrip(_IPV6_CHARS)))
        run = _IPV6_RUN.match(text, begin)
        if run is None or not _is_ipv6(text, begin, run[0]):
            continue
        parts += [text[done:begin], IP]
        done = begin + len(run[0].rstrip("."))
    return "".join(parts) + text[done:] if parts else text


def _ipv4(match: re.Match[str]) -> str:
    numbers = [int(part) for part in match[0].split(".")]
    if max(numbers) > 255 or numbers[0] in (127, 255) or not any(numbers[1:]):
        return match[0]
    if _VERSION_BEFORE.search(match.string[max(0, match.start() - 16) : match.start()]):
        return match[0]
    return IP


def _is_ipv6(text: str, begin: int, run: str) -> bool:
    run = run.rstrip(".")
    before, after = text[begin - 1 : begin] if begin else "", text[begin + len(run) : begin + len(run) + 1]
    if before.isalnum() or before == "_" or after.isalnum() or after in ("_", ":"):
        return False
    if run.count(":") < 7 and not ("::" in run and _IPV6_PREFIX.match(run)):
        return False
    try:
        IPv6Address(run)
    except ValueError:
        return False
    return True


# --- telephone numbers ---------------------------------------------------------------------------

_GAP = r"[ \xa0.\-/‐‑–]"
_INTERNATIONAL = re.compile(
    r"\+(?<![\w+.]\+)(?:\(?1\)?"
    + _GAP
    + r"{0,2}(?:\([2-9][0-9]{2}\)|[2-9][0-9]{2})"
    + _GAP
    + r"{0,2}[0-9]{3}"
    + _GAP
    + r"?[0-9]{4}"
    r"|[ (]{0,2}[2-9](?:[ \xa0.\-/()‐‑–]{0,2}[0-9]){6,14}+)(?![0-9])"
)
_BRACKET = re.compile(
    r"\((?<![\w]\()(?:[2-9][0-9]{2}\)" + _GAP + r"?[2-9][0-9]{2}" + _GAP + r"[0-9]{4}"
    r"|0?[1-9][0-9]{0,3}\)" + _GAP + r"?[0-9]{3,5}" + _GAP + r"[0-9]{3,5}(?:" + _GAP + r"[0-9]{2,4})?"
    r"|0[1-9][0-9]{0,3}\)" + _GAP + r"?[0-9]{5,9})(?![\w:])"
)
# Seven digits or more with gaps: what a number without + or bracket looks like. Dates do, too.
_DIGITS = re.compile(r"[0-9](?<![\w.][0-9])(?:[ \xa0().\-/‐‑–]{0,2}[0-9]){6,}+")
# By the first digit: North America (with or without 1), a Chinese mobile, 00 and a country, 0 and an area.
_NATIONAL = re.compile(
    r"[0-9](?<![\w.,+$€£#:=/-][0-9])(?:"
    r"(?<=[2-9])[0-9]{2}(?P<gap>[ .-])[0-9]{3}(?P=gap)[0-9]{4}"
    r"|(?<=1)(?:[ .-]\(?[2-9][0-9]{2}\)?[ .-][2-9][0-9]{2}[ .-][0-9]{4}|[3-9][0-9](?P<cn>[ -])[0-9]{4}(?P=cn)[0-9]{4})"
    r"|(?<=0)(?:0[1-9][0-9]{0,2}|[1-9][0-9]{1,4}|[1-9])(?:" + _GAP + r"[0-9]{2,8}+){1,6}+"
    r")(?![\w:]|[-/.][0-9])"
)
_DATE = re.compile(r"(?:^|\D)(?:[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2,4}|[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2})(?!\d)")
# By far the most frequent run of digits in a trace; the space and the hour of a time may belong to it.
_DATE_ONLY = re.compile(r"[0-9]{4}([-/.])[0-9]{2}\1[0-9]{2}(?: [0-9]{2})?")
# In small letters.
_PHONE_WORDS = (
    r"(?:phone|telefon|t[ée]l[ée]fono|t[ée]l[ée]phone|\btel(?![a-z])|mobile|\bcell\b|\bfax|whatsapp|\bsms\b|\bmsisdn"
    r"|\bhandy|m[óo]vil|celular|\bcontact[_ -]?n(?:umber|o)|\bcall(?:ed)?(?: (?:me|us|him|her|them))?(?: back)?"
    r"(?: (?:at|on))|\b(?:text|reach|contact|ring) (?:me|us|him|her|them)(?: (?:at|on))?)"
)
_PHONE_BEFORE = re.compile(_PHONE_WORDS + r"[^0-9\n]{0,16}\Z")
_PHONE_NAME = re.compile(_PHONE_WORDS + r"[_ -]?(?:numbers?|no|nr|num)?[_ -]?[0-9]?\Z")
# Each of the words has one of these, and to look for them is ten times faster.
_PHONE_HINTS = (
    "phon", "tel", "tél", "mobile", "cell", "fax", "whatsapp", "sms", "msisdn", "handy", "vil",
    "celular", "contact", "call", "text ", "reach ", "ring ",
)  # fmt: skip
_NUMBER_BEFORE, _NUMBER_AFTER = re.compile("[0-9] "), re.compile(" [0-9]")
_IS_WORD = re.compile(r"[\w:]")
_PHONE_ONLY = re.compile(r"[+(]{0,2}[0-9](?:[ \xa0().\-/]{0,2}[0-9]){6,14}+")


def redact_phones(text: str) -> str:
    """`text` without telephone numbers."""
    if "+" in text:
        text = _INTERNATIONAL.sub(PHONE, text)
    if "(" in text:
        text = _BRACKET.sub(_bracketed, text)
    parts, done = [], 0
    for run in _DIGITS.finditer(text):
        for begin, end in _phones_in(text, run.start(), run.end()):
            parts += [text[done:begin], PHONE]
            done = end
    return "".join(parts) + text[done:] if parts else text


def is_phone_name(name: str) -> bool:
    """Whether a key of an object says that its value is a telephone number."""
    return bool(_PHONE_NAME.search(name[-40:].lower()))


def is_phone(text: str) -> bool:
    """Whether a text is nothing but the digits of a telephone number; only its name tells it from another number."""
    return bool(_PHONE_ONLY.fullmatch(text)) and not _DATE.search(text)


def _bracketed(match: re.Match[str]) -> str:
    return PHONE if _has_digits(match[0], 9, 11) else match[0]


def _phones_in(text: str, begin: int, end: int) -> list[tuple[int, int]]:
    """Start and end of the telephone numbers in a run of digits and gaps; there may be several in a row."""
    number = text[begin:end]
    if _DATE_ONLY.fullmatch(number):
        return []
    before = text[max(0, begin - 32) : begin].lower()
    is_named = any(hint in before for hint in _PHONE_HINTS) and _PHONE_BEFORE.search(before)
    if is_named and _has_digits(number, 7, 15) and not _IS_WORD.match(text, end):
        return [(begin, end)]
    # Two characters more, for what must not follow.
    return [match.span() for match in _NATIONAL.finditer(text, begin, end + 2) if _is_national(match)]


def _is_national(match: re.Match[str]) -> bool:
    # `1024 512 256 1024 64` is a list of numbers.
    if match["gap"] == " " and (
        _NUMBER_BEFORE.match(match.string, match.start() - 2) or _NUMBER_AFTER.match(match.string, match.end())
    ):
        return False
    return _has_digits(match[0], 11 if match[0].startswith("00") else 9, 15)


def _has_digits(text: str, at_least: int, at_most: int) -> bool:
    return at_least <= sum(char.isdigit() for char in text) <= at_most and not _DATE.search(text)
