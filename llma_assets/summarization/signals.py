"""What to look for in a conversation: greetings, requests, answers to questions, failure, feeling, handover."""

import re

from llma_assets.summarization.lead_ins import without_lead_in

_GREETING = re.compile(
    r"(?:hi|hello|hey|hiya|yo|greetings|good (?:morning|afternoon|evening|day)|"
    r"thanks?(?: you)?(?: so much| very much)?|ok(?:ay)?|yes|yep|yeah|no|nope|sure|great|perfect|bye|goodbye|"
    r"test(?:ing)?|ping|start|hallo|hola|bonjour|ciao|"
    r"salut|guten tag|namaste|你好|您好|こんにちは|안녕하세요|привет)"
    r"(?:[ ,]+(?:there|again|all|everyone|bot|assistant|team|please|i['’]?m \w+|my name is \w+))*[\s.!?,。！？]*",
    re.IGNORECASE,
)
# A sentence that asks for something to be done or told.
_REQUEST = re.compile(
    r"\?|？|\b(?:i|we)(?:['’]d| would|d)? (?:also |really |still |just )?(?:like|love|want|need|wish|prefer|hope)\b|"
    r"\b(?:can|could|would|will) (?:you|i|we)\b|\bplease\b|\bhelp me\b|\b(?:looking|trying|calling|hoping|wondering) "
    r"(?:to|for|about|if|because)\b|"
    r"\bi(?:['’]m| am) (?:upset|frustrated|angry|having|facing|getting|demanding|requesting|asking|expecting)\b|"
    r"\b(?:how|why|what|which|where|when) (?:to|do|does|did|is|are|can|should|would)\b",
    re.IGNORECASE,
)
_IMPERATIVE = re.compile(
    r"(?:please |now |then |next,? |also |first,? )?(?:write|create|make|generate|give|show|tell|explain|describe|list|"
    r"find|fix|add|remove|delete|update|change|cancel|book|build|implement|convert|translate|summari[sz]e|compare|"
    r"analy[sz]e|design|develop|act|answer|calculate|code|compose|compute|define|discuss|draft|edit|evaluate|extract|"
    r"identify|improve|outline|paraphrase|plan|prove|provide|propose|recommend|refactor|rephrase|rewrite|search|solve|"
    r"suggest|teach|use|look|check|get|help|classify|detect|recogni[sz]e|predict|train|load|transform|think|complete|"
    r"pretend|imagine|assume|formulate|demonstrate|determine|derive|estimate|verify|test|debug|shift|move|switch|upgrade|downgrade|refund|reschedule|rebook|order|send|schedule|"
    r"set up|apply|combine|split|merge|connect|install|configure|simulate|plot|draw|visuali[sz]e|optimi[sz]e|modify)\b",
    re.IGNORECASE,
)
# Answers to what the assistant asked: identification, confirmation. No topic of their own.
_REPLY = re.compile(
    r"^(?:(?:sure|yes|yeah|no|ok(?:ay)?|of course|certainly|absolutely|thanks|thank you|great|perfect|hi|hello|alright|"
    r"got it|i see|i understand|no problem|that['’]?s (?:correct|right|fine|great|all|okay|good)|correct|right)\b"
    r"[\s,.!–—-]*)*"
    r"(?:(?:my|the|it['’]?s|here(?:['’]s| is| are)?(?: my)?) (?:full )?(?:user|customer|account|reservation|booking|"
    r"order|confirmation|name|e-?mail|phone|zip|date of birth|dob|membership|credit card|payment|id)\b.*"
    r"|i (?:do not|don['’]t|can['’]t|cannot) (?:have|remember|know|recall|find) .*"
    r"|.*\b(?:don['’]t|do not|can['’]t|cannot) (?:have|remember|know|recall|find)\b.*"
    r"\b(?:id|ids|number|code|handy|hand|with me)\b.*"
    r"|i(?:['’]m| am) not sure.*|(?:please )?(?:go ahead|proceed|confirm(?:ed)?)\b.*|i confirm\b.*"
    r"|that (?:works|sounds)\b.*|[\w.@#-]*)$",
    re.IGNORECASE,
)
# Something is wrong, said as a statement: as good as a request.
_PROBLEM = re.compile(
    r"\b(?:my|the|our|this|it|i)\b.{0,60}?(?:\b|(?=['’]))(?:"
    r"(?:has|have|had|was|were|is|are|got|keeps?|been) (?:been |being |getting |just |\w+ly )?"
    r"(?:delayed|cancell?ed|lost|broken|stuck|missing|wrong|late|charged|overcharged|damaged|denied|rejected|blocked|"
    r"failing|down|slow|stolen)"
    r"|(?:(?:is|does|do|did|has|are|can)(?:n['’]t| not|not)|['’](?:s|re|m) not) "
    r"(?:work|load|arriv|open|show|respond|receiv|compil|run|get|log|connect|start)\w*"
    r"|throws?|fails?|crash(?:es|ed)|received? (?:an? )?(?:error|wrong|damaged)|mix-?up)\b",
    re.IGNORECASE,
)
# "I need some help with my reservation": a request whose subject is still to come.
_HELP_WITH = re.compile(
    r"\b(?:(?:calling|writing|contacting you|here|reaching out) (?:about|regarding|because of|for)|"
    r"(?:need|want|like|get|have|use|looking for|for|with) (?:some |a |an |your |a few )?"
    r"(?:help|assistance|support|questions?|issues?|problems?|inquir(?:y|ies)))\b(?P<rest>.*)",
    re.IGNORECASE,
)
_BARE = re.compile(
    r"(?:(?:can|could|would|will) (?:you|i|we) (?:please )?(?:help|assist|do|handle|check|confirm|look into|arrange|"
    r"take care of|get|double-check|proceed(?: with)?|look (?:it|that|this|them) up|go ahead(?: with)?|verify)\b"
    r"|is (?:that|this|it) (?:possible|okay|ok|something)|what (?:can|do) (?:you|i) (?:do|need)|how does that"
    r"|what(?:['’]s| is) going on|what (?:are|would be) (?:my|the) options)(?P<rest>.*)",
    re.IGNORECASE,
)
# "Make a few changes to my trip", "solve this in C++", "act as an expert": an ask whose point stands elsewhere.
_POINTS_ELSEWHERE = re.compile(
    r"\b(?:make|do|discuss|take care of|sort out|handle) (?:some|a|a few|a couple(?: of)?|several|any|the)?\s?(?:\w+ )?"
    r"(?:changes?|updates?|modifications?|adjustments?|things?)\b|\bmake sure (?:that )?(?:everything|it|this|that)\b|"
    r"^(?:please )?(?:act (?:as|like)|you are|you['’]re|pretend|imagine|your (?:role|task|job)|from now on|ignore)\b|"
    r"\b(?:this|that|it|them|these|those|below|above|following)(?: \w+){0,2}\W*$|^(?:and |but )?(?:it|which|they)\b",
    re.IGNORECASE,
)
_FEELING = re.compile(
    r"\b(upset|frustrat\w*|angry|furious|annoy\w*|disappoint\w*|unacceptable|ridiculous|terrible|awful|horrible|"
    r"worst|useless|fed up|outrag\w*|disgust\w*|waste of time|not happy|unhappy|stress\w*|desperate\w*|scam|lawsuit|"
    r"sue you|complain(?:t|ing)?|wtf)\b",
    re.IGNORECASE,
)
_FAILURE = re.compile(
    r"\s*(?:[{\[\"']{0,3}\s*\"?(?:error|exception|traceback|fatal|failed|failure)\"?\b|.{0,60}?\b(?:error|exception)\s*:|"
    r"\{\"(?:success|ok)\":\s*false|(?:http(?: status)?|status(?: code)?)[ :=]*[45]\d\d\b|permission denied|"
    r"access denied|command not found|no such file|timed? ?out\b)",
    re.IGNORECASE,
)
_NULL_ERROR = re.compile(r"\s*\{?\s*\"?error\"?\s*:\s*(?:null|false|\"\"|0|none)\b", re.IGNORECASE)
_REFUSAL = re.compile(
    r"\b(?:i(?:['’]m| am) (?:sorry|afraid|unable)|unfortunately|i apologi[sz]e)\b.{0,200}?\b(?:can(?:no|['’])t|cannot|"
    r"unable|not able|not (?:allowed|possible|eligible|permitted)|won['’]t|isn['’]t possible|not refundable)\b|"
    r"\bi (?:can(?:no|['’])t|cannot|am unable to|am not able to|won['’]t be able to) (?:help|assist|do|provide|process|"
    r"proceed|cancel|change|modify|comply|fulfil|complete|make|offer|add|remove|issue|access|book|update)\b|"
    r"\(refusal\)",
    re.IGNORECASE | re.DOTALL,
)
_HANDOVER_TOOL = re.compile(r"transfer|hand_?(?:off|over)|escalat|human|live_?agent", re.IGNORECASE)
_LOOKUP_TOOL = re.compile(
    r"(?:get|list|search|find|look_?up|read|fetch|check|calculate|query|think|view|show|retrieve|describe|ls|cat|grep)"
    r"(?:[_\W]|(?=[A-Z])|$)",
    re.IGNORECASE,
)
_HANDOVER_TEXT = re.compile(
    r"(?:being |be |been )?transferr(?:ed|ing)\b.{0,40}\b(?:human|agent|representative|specialist)|"
    r"connect(?:ing)? you (?:to|with) (?:a|an|our) (?:human|live|agent|representative|specialist)",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"(?:you(?:['’]re| are) (?:very |most )?welcome|(?:is there|if there['’]?s|if you (?:need|have)|let me know if|"
    r"feel free)\b.*|have a (?:great|nice|good|wonderful|safe)\b.*|safe travels.*|"
    r"(?:i['’]m )?(?:glad|happy) (?:i could|to) help.*|"
    r"thank you for\b.*|goodbye.*|take care.*|enjoy your\b.*|no problem.*|i hope (?:this|that) helps.*|"
    r"i(?:['’]m| am) here to help.*|don['’]t hesitate\b.*)",
    re.IGNORECASE,
)
_LANGUAGE = re.compile(r"```([A-Za-z][A-Za-z0-9+#-]{0,15})\s")
_WORDS = re.compile(r"[^\W\d_]{2,}")
_SMALL = (
    "the and for you your with that this have has can could would please need want like help are was were from but not "
    "all any also just it its is to of in on my me we our what how there they them then than some get one be do so if "
    "know about hi hello hey thanks thank ok okay sure yes going assist assistance question questions issue issues "
    "problem something anything thing things today possible tell let me bit situation trouble everything"
)
_SMALL_WORDS = frozenset(_SMALL.split())
# What almost every request of a service is about: alone it tells nothing of what is wanted.
_SUBJECTS = (
    "reservation reservations booking bookings flight flights trip trips travel order orders account upcoming existing "
    "current recent next plans plan information details made number user id both these those them"
)
# A booking code names nothing.
_CODE = re.compile(r"\b[A-Z0-9]{5,}\b")
_SUBJECT_WORDS = frozenset(_SUBJECTS.split())


def is_greeting(text: str) -> bool:
    """Whether a message says nothing but hello, thanks, yes or no."""
    return len(text) <= 120 and _GREETING.fullmatch(text.strip()) is not None


def content_words(text: str) -> frozenset[str]:
    """Words, in lower case, that carry a topic."""
    return frozenset(word.lower() for word in _WORDS.findall(text[:2000])) - _SMALL_WORDS


def request_score(sentence: str) -> int:
    """How much a sentence tells of what somebody wants.

    Returns:
        0 nothing; 1 a mere reply or a request without a subject; 2 and 3 some words of topic; from 4 on it plainly
        asks for something, or says what is wrong, and names it.
    """
    sentence = sentence.strip()
    words = content_words(sentence)
    if not words or is_greeting(sentence):
        return 0
    if _REPLY.match(sentence[:400]) or _is_vague(sentence):
        return 1
    asks = _REQUEST.search(sentence) or _IMPERATIVE.match(sentence) or _PROBLEM.search(sentence[:400])
    score = 1 + min(2, len(words) // 2) + (2 if asks else 0)
    if score > 3 and len(words - _SUBJECT_WORDS) <= 4 and _POINTS_ELSEWHERE.search(sentence[:400]):
        return 3
    return score


_GOES_ON = re.compile(r"(?:and |but |so )?(?:it|which|they|this|that)\b", re.IGNORECASE)


def asks_directly(sentence: str) -> bool:
    """Whether a sentence is itself the request or the complaint, and does not only mention one."""
    if _GOES_ON.match(sentence):
        return False
    rest = without_lead_in(sentence)
    return rest != sentence or _IMPERATIVE.match(rest) is not None or _PROBLEM.search(sentence[:400]) is not None


def _is_vague(sentence: str) -> bool:
    for pattern in (_HELP_WITH, _BARE):
        match = pattern.search(sentence) if pattern is _HELP_WITH else pattern.match(sentence)
        if match:
            rest = content_words(_CODE.sub("", match["rest"])) - _SUBJECT_WORDS
            return not rest
    return False


def shows_feeling(text: str) -> str:
    """The word that shows strong feeling, or the empty string."""
    match = _FEELING.search(text)
    return match[1].lower() if match else ""


def reports_failure(result: str) -> bool:
    """Whether a tool's result says that it failed."""
    head = result[:400]
    return _FAILURE.match(head) is not None and _NULL_ERROR.match(head) is None


def refuses(text: str) -> bool:
    return _REFUSAL.search(text[:1500]) is not None


def is_handover_tool(name: str) -> bool:
    return _HANDOVER_TOOL.search(name) is not None


def looks_up(name: str) -> bool:
    """Whether a tool, by its name, only reads."""
    return _LOOKUP_TOOL.match(name) is not None


def announces_handover(text: str) -> bool:
    return _HANDOVER_TEXT.search(text[:2000]) is not None


def is_closing(sentence: str) -> bool:
    """Whether a sentence is only the polite end of an answer."""
    return _CLOSING.match(sentence.strip()) is not None


def code_languages(text: str) -> list[str]:
    """Languages that code fences name, in order, each once."""
    return list(dict.fromkeys(language.lower() for language in _LANGUAGE.findall(text)))
