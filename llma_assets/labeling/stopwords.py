"""Words that carry no topic: function words, chat courtesies, and words about the talk itself."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# May stand inside a phrase ("text to speech"), never at its ends.
CONNECTORS = _set("and as at between by for from in into of on onto or over to via with without")

# Left out of a phrase without ending it: "cancel all my flights" is "cancel flights".
DETERMINERS = _set(
    "a all an any both each either every her his its my our own same some that the their these this those your"
)

_FUNCTION = """
about above across actually after afterwards again against ago almost along already also although always am
among amongst another anyone anything anyway are arent around aside away back be became because become becomes
been before behind being below beside besides beyond but came can cannot cant come could couldnt couldve did
didnt do does doesnt doing done dont down during else elsewhere enough etc even ever everyone everything except
few firstly former fully further had hadnt has hasnt have havent having he hed hence here heres hers herself him
himself how hows however i id if ill im indeed instead is isnt it itd itll itself ive just later latter least
less let lets like likely longer lot lots many may maybe me meanwhile might mightnt mine more moreover most
mostly much must mustnt myself namely near nearly need needs needed neither never nevertheless no nobody non
none nor not nothing now nowhere off often ok okay once one ones only other others otherwise ought ours
ourselves out per perhaps quite rather really same say says several shall shant she shes should shouldnt since
so somebody somehow someone something sometime sometimes somewhere soon still such than thanks thats thatll them
themselves then there thereby therefore theres theyd theyll theyre theyve they though through throughout thru
thus together too toward towards under unless until unto up upon us very was wasnt we well wed were werent weve
what whatever whats when whenever where whereas wherever wheres whether which whichever while who whoever whole
whom whos whose why whys will wont would wouldnt wouldve yeah yes yet you youd youll youre yours yourself
yourselves youve
"""

_NUMBERS_AND_DATES = """
zero two three four five six seven eight nine ten eleven twelve hundred thousand million billion first second
third fourth fifth last next once twice today tomorrow yesterday tonight now monday tuesday wednesday thursday
friday saturday sunday january february march april june july august september october november december jan feb
mar apr jun jul aug sep sept oct nov dec am pm est pst utc gmt day days week weeks month months year years hour
hours minute minutes
"""

_TALK = """
able act advise advance afternoon answer answered answering answers anybody appreciate appreciated apologize ask
asked asking asks assist assistance assistant assistants bad based best better bit bonjour called calls certain
certainly chat clear clearly concise consider content conversation correct correctly currently current dear
detail detailed detailed detailing details different directly easily easy ended ends ensure ensures evening
everybody exact exactly example examples expected explicitly fine follow following follows form full gave
general get gets getting give given gives giving glad go goes going good got great guess happened happy hello
help helped helpful helping helps hey hi holds hope hoping important include included includes including inform
information input interested involved kind kindly kinda know knows latest leave left level line list little long
look looking looks main make makes making manner matter mean means mention mentioned merci message mind morning
name named names nice normal note noted notes number numbers old ones option options order output particular
part please point possible possibly prefer preferred previous previously probably problem proceed provide
provided provides providing question questions quick quickly ready real reason reasons reach receive recent
recently regard regarding related relevant repeat reply requirement requirements respond response responses
result results right said see seem seems seen send sent serious set shared show shown shows simple simply since
sir situation small solution solve specific specifically start started state stated states step steps suggest
suggestion suggestions sure take taken takes taking talk tell telling tells text thank thanks thing things think
thought told tool tools tried try trying turn typical unable understand understood unfortunately unknown use
used useful user users uses using usually various version want wanted wants way ways welcome wish wonder
wondering word words work worked working works would wrote took achieve achieves enable enables enabling allow
allowed allows attempt attempts attempting terms fed starting searching carry carries lets requires consists
regarding mainly approximately
"""

# Courtesies and function words of the other languages that show up most in English traffic.
_FOREIGN = """
avec bitte con cual dans danke das dass dem den der des ein eine einen el esta está est et für gracias ich ist
je le les lo más mas mes mein meine mi mis moi mon más nicht nous oder oui para por pour puis que qui s'il se si
sich sie sind son sur também tous tout todas todos una und une uno usted votre vous était plaît plait y zu
"""

STOPWORDS = _set(_FUNCTION + _NUMBERS_AND_DATES + _TALK + _FOREIGN) | DETERMINERS | CONNECTORS

# Fit a phrase but say little on their own, and never lead the choice of a title.
WEAK = _set(
    """
    additional api app application appropriate available build case class code common compute confirm confirmation
    create data design develop existing find function generate implement implementation method model models new
    process program project propose recommend request requested requesting requests require required return returns
    sample script service software system task technique team type types value values write
    """
)

# A phrase that begins with one of these reads as a task, and goes first in a title.
VERBS = _set(
    """
    add analyze apply arrange book build calculate cancel change check classify combine compare compute configure
    confirm convert count create debug define delete deploy describe design detect determine develop diagnose
    distinguish download draft edit estimate evaluate exchange explain explore extract find fix forecast format
    generate identify implement improve install integrate interpret learn load locate manage modify move name
    optimize organize pay perform plan play predict prepare prove read rebook recognize recommend reduce refund
    remove rename replace report request reschedule research reserve resolve return review rewrite run schedule
    search segment separate simulate solve sort split summarize synthesize teach test track train transcribe
    transfer transform translate troubleshoot understand update upgrade use validate verify visualize withdraw write
    """
)

# Common given names: a name that a customer signs with is no topic.
GIVEN_NAMES = _set(
    """
    aarav abigail adam ahmed aisha alan alex alexander alice ali amanda amelia amir amy ana andrea andrew angela
    anna anthony anya ava barbara ben benjamin bob brian carlos carol carlo charlotte chen chloe chris christine
    christopher daiki daniel david deborah diana diego dmitri donald edward elena elizabeth ella emily emma eric
    ethan eva fatima francesca frank gabriel george giulia grace hannah harper harry helen henry ian ines isabella
    ivan jack jacob james jane jason jean jennifer jessica joan john jonas jorge jose joseph juan julia julie karen
    kate katherine kenji kevin laura lena leo lei liam linda lisa lucas lucy luis luigi luna maria marie mark martin
    mary mason mateo matthew maya mei mia michael michelle miguel mohamed mohammed muhammad nadia nancy natalia
    nicolas noah nora olga oliver olivia omar pablo patricia patrick paul pedro peter priya rachel raj rebecca
    richard robert rosa ryan samuel sandra sara sarah scott sean sofia sophia sophie stephen steven susan thomas tim
    tom victoria wei william yara yuki yusuf zoe
    """
)

# Leave a phrase hanging when they end it: "planner responsible", "model capable".
ADJECTIVES = _set(
    """
    accurate additional available aware best big capable cheap cheapest correct efficient fast high large low main
    multiple public recent responsible similar small suitable upcoming various
    """
)

# How words are written that seldom are in chats.
_SPELLINGS = """
AI API AWS CPU CRM CSS CSV CUDA DNS ETL FAQ GPU GPT HTML HTTP IDE IP JavaScript JS JSON LLM ML MySQL NLP NoSQL OCR PDF
PHP PostgreSQL PyTorch QA REST SDK SEO SQL SSL TensorFlow TTS TypeScript UI URL USA UX VPN XML YAML
"""
SPELLINGS = {word.lower(): word for word in sorted(_set(_SPELLINGS))}

# A verb that also names a thing: alone it may still be half of a title ("Cancel Flight and Refund").
NOUN_VERBS = _set(
    "design exchange forecast load plan play refund report research review schedule search test transfer upgrade"
)
