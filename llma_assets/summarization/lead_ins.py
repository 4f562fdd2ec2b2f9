"""What people write before they come to the point, and how to take it off."""

import re

_I = r"(?:i|we)"
_HELP = r"(?:some |your |a little )?(?:help|assistance|support|guidance|advice)"
_THANKS = r"(?:thanks|thank you)(?: (?:so|very) much| a lot)?(?: for (?:that|the \w+|your \w+|\w+ing(?: \w+){0,3}))?"

_OPENERS = (
    # Greetings, thanks, agreement, order words, politeness.
    r"(?:hi|hello|hey|hiya|greetings|bonjour|hola|ciao|hallo|good (?:morning|afternoon|evening|day)|dear \w+)"
    r"(?: there| again| all| everyone| team)?(?:[,.!:;]*\s+|\s*[–—]\s*)",
    rf"{_THANKS}[,.!:;–—-]*\s+",
    r"(?:ok(?:ay)?|sure|well|so|yes|yeah|no|also|and|but|then|now|actually|first(?:ly| of all)?|second(?:ly)?|finally|"
    r"additionally|lastly|next|great|perfect|alright|of course|please|kindly|sorry|oh|hmm|"
    r"by the way|one more thing|quick question)[,.!:;–—-]*\s+",
    r"(?:got it|i see|i understand)[,.!;–—-]+\s+",
    r"(?:for (?:this|that) (?:one|reservation|booking|order)|in (?:that|this) case|if (?:so|possible|not)|"
    r"before (?:that|we \w+))[,:]\s+",
    # Questions that are requests.
    r"(?:can|could|would|will) (?:you|u|someone|anyone) (?:please |kindly |maybe |also |just |possibly )?"
    r"(?:help (?:me )?(?:to |with |out with |by )?|assist (?:me )?(?:with|in) |be able to )?"
    r"(?:tell me |let me know |show me (?:how to )?|explain (?:to me )?(?=how|why|what))?",
    rf"(?:can|could|may|should) {_I} (?:please |also )?(?:get {_HELP} (?:with )?|have )?",
    # Wishes and needs.
    rf"{_I}(?:['’]d| would|d)? (?:also |really |still |just )?(?:like|love|prefer|want|wanted|need|wish|hope|have)"
    rf"(?:ed)? (?:(?:for )?you to (?:help me )?|{_HELP} (?:with|in|to|on|for) |{_HELP} "
    r"|to (?:know |see |ask |learn )?(?:about )?)",
    rf"{_I} (?:need|want) (?=an? |the |some |my )",
    rf"{_I}(?:['’]m| am|['’]re| are) (?:also |currently )?(?:trying|looking|calling|writing|hoping|reaching out|"
    r"contacting you|planning|here|interested|wondering)(?: today| now)?"
    r"(?: (?:in|about|because|for|if|on|to|of))* ",
    rf"{_I} (?:was|were) (?:wondering|hoping)(?: if)? (?:(?:you|i|we) (?:can|could|would|might) )?",
    rf"{_I} have (?:a |an |some |another )?(?:quick )?(?:questions?|requests?) (?:about|with|regarding|on|for) ",
    r"(?:please )?help me (?:to |with |out with )?",
    r"(?:do you know|is there|what(?:['’]s| is| would be)) (?:a|any|the) (?:best|good|easiest|simplest )?\s?way "
    r"(?:for me )?(?:to|of) ",
    r"(?:is it possible|do you know) (?:for me )?(?:to|if) ",
    r"how (?:can|do|would|could|should) i (?:best )?",
    r"(?:please |kindly )?(?:tell me|let me know|show me|explain to me) (?:about |how to )?(?=\w)",
    r"to (?=(?:make|change|cancel|book|get|know|see|ask|learn|check|find|update|modify|add|remove|discuss)\b)",
    # What a prompt tells the model about itself.
    r"(?:you (?:are (?:required|asked|tasked) (?:to|with)|need to|have to|must|should)|(?:your|the) task is to) ",
    r"(?:suppose|imagine|assume|let['’]?s say)(?: that)?[,:]? (?=you are|you['’]re|i |we )",
)
_LEAD_IN = re.compile("|".join(f"(?:{opener})" for opener in _OPENERS), re.IGNORECASE)

# Inside a sentence: where the background ends and the request starts.
_TURN = re.compile(
    r"(?:,|;|\s[–—-]|\band|\bso|\bbut|\bthen|\.)\s+(?=(?:please\b"
    rf"|{_I}(?:['’]d| would| am|['’]m)? (?:like|want|need|would like|looking|trying|love)\b"
    r"|(?:can|could|would) you\b|how (?:can|do|would|to|many|much)\b|what\b|help me\b))",
    re.IGNORECASE,
)
# A sentence that starts with its background or condition.
_BACKGROUND = re.compile(
    r"(?:if|when|given|for|as|in|since|assuming|suppose|considering|because|while|after|before|once|based on|from|with|"
    r"using|on|at|i am|i['’]m|i have|i['’]ve|i work|we are|we have|my|there (?:is|are)|you are|you['’]re|consider)\b",
    re.IGNORECASE,
)
_CONDITION = re.compile(r"(?:given|for|as|in|assuming|considering|consider)\b[^,.]{0,200},\s+", re.IGNORECASE)
_MIN_REST_WORDS = 3


def without_lead_in(sentence: str) -> str:
    """`Hi, could you please help me to cancel …` → `cancel …`; background before a request goes too."""
    sentence = _stripped(sentence)
    if len(sentence.split()) > 10 and _BACKGROUND.match(sentence):
        turn = _TURN.search(sentence, 0, 600)
        if turn and len(sentence[turn.end() :].split()) >= _MIN_REST_WORDS:
            return _stripped(sentence[turn.end() :])
        condition = _CONDITION.match(sentence)
        if condition and len(sentence[condition.end() :].split()) >= _MIN_REST_WORDS + 2:
            return _stripped(sentence[condition.end() :])
    return sentence


def _stripped(sentence: str) -> str:
    for _ in range(8):
        match = _LEAD_IN.match(sentence)
        if not match or not match.end():
            break
        rest = sentence[match.end() :]
        if len(rest.split()) < 2 and len(rest) < 12:
            break
        sentence = rest
    return sentence
