"""Breaks and apostrophes that a recogniser leaves out of English speech.

Rules look for the ends of clauses. Recognised lines often have none ("ul listed gallium nitride
so it's small"), or lose the apostrophe ("its four", "they dont shrink"). Both are put back into
the shape with no width of their own, so every span still leads to the words as they were heard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_LONG, _LONG_BESIDE_BREAKS = 5, 14
"""Blanks from which a stretch without a break is looked at: of a line that has none, of others."""
_STRETCH = re.compile(r"[^,.!?;:]+")
_JOINERS = r"(?:(?:and|but|so|or|because|cause|plus|then|also|cos|though|yet) )*"
_SUBJECTS = (
    r"(?:it|they|that|there|here|he|she|we|you|i|this one|these|those|everything)"
    r"'(?:s|re|ll|ve|m|d)\b"
    r"|(?:it|they|these|this one|this|each one|everything) (?:is|are|was|were|comes?|has|have|gets?|can"
    r"|can't|will|won't|do|does|don't|doesn't|ships?|runs?|fits?|holds?|lasts?|goes|go|works?|weighs?|takes?"
    r"|looks?|stays?|keeps?|feels?|measures?|charges?)\b"
    r"|(?:we|i) (?:also |just |even |still |only )?(?:ship|send|post|mail|don't|do not|do|have|throw|give|replace"
    r"|refund|take|cover|pay|can't|will|won't|put|got|use|make|sell|swap|fix|repair|guarantee|need|wear|tested)\b"
    r"|you (?:also |only |just )?(?:get|can|can't|have|pay|save|don't|need)\b"
    r"|(?:there|here) (?:is|are|was|might|may|will)\b"
    r"|(?:colou?rs?|sizes?|shipping|postage|delivery|returns|warranty) (?:is|are)\b|shippings?'?s? on us\b|designed in\b"
)
_ALONE = r"(?:but|because|plus|though|yes|yeah|yep|nope|please|honestly|actually|otherwise|except|whereas)\b"
_DENIED = r"(?:no|not|never|zero)\b(?! (?:questions?|reason|more|longer|less|problem|matter|one|way|charge|cost|extra))"
_STARTS = re.compile(rf" (?={_JOINERS}(?:{_SUBJECTS})|{_ALONE}|{_DENIED})")
_BINDS = re.compile(
    r"(?:^|[ ])(?:and|but|so|or|because|cause|plus|then|also|that|which|who|if|when|while|as|than|of|to|for|with|in|on"
    r"|at|by|from|about|like|is|are|was|were|be|been|am|it's|they're|that's|there's|you're|we're|i'm|has|have|had|got|get"
    r"|gets|do|does|did|don't|doesn't|can|could|will|would|should|may|might|must|it|they|we|you|i|he|she|this|these|those"
    r"|the|a|an|my|our|your|its|what|how|where|why|until|till|before|after|once|unless|though|even|make|makes|let|lets"
    r"|mean|means|think|say|says|said|know|sure|guess|swear|promise|hope|tell|told|bet|whatever|whenever|wherever|anything"
    r"|everything|something|nothing|one|all|way|time|day|please|yes|no|not|why|absolutely|definitely|well|okay|ok|look|still|also|just|really|quite|only|always|far|too|best|better|[a-z]+'(?:ll|d|ve|m|re|t)"
    r"|leaves?|needs?|takes?|costs?|contains?|uses?|shows?|gives?|offers?|carr(?:y|ies)|charges?|includes?|finds?|found|sees?|saw|with|comes|came)$"
)
_BARE = re.compile(
    r"\b(?:(?P<n>don|doesn|didn|isn|aren|wasn|weren|couldn|shouldn|wouldn|hasn|haven|ain)t"
    r"|(?P<s>that|there|what|here|where|who)s|(?P<m>i)m|(?P<ve>i|you|they)ve|(?P<re>they|you)re|(?P<ll>they|you|it|that)ll"
    r"|(?P<it>it)s(?= (?:#|(?:a|an|the|not|so|very|just|about|only|like|been|got|all|in|on|at|made|free|really|pretty|fully"
    r"|about|around|maybe|roughly|still|also|too|more|always|never|brand|actually|real|pure|solid|waterproof|machine"
    r"|true|small|light|heavy|big|soft|good|fine|great|yours|our|my|no|from|for|out|over|under|up|down)\b)))\b"
    r"|\b(?P<c>can|won)t\b(?= (?:be|go|get|use|put|take|wash|fit|shrink|fade|ship|return|swim|beat|tell|say|promise"
    r"|guarantee|do|have|find|break|leak|rust|pill|scratch|stretch|work|charge|make|drop|send|refund|wear|you|i|it))"
)


class Added(NamedTuple):
    """A character that was not heard, and the place before which it belongs."""

    at: int
    char: str


def left_out(text: str) -> list[Added]:
    """What a line in lower case lacks, in order."""
    found = [*_apostrophes(text), *_breaks(text)]
    return sorted(found)


def _apostrophes(text: str) -> Iterator[Added]:
    for hit in _BARE.finditer(text):
        short = hit["ve"] or hit["re"] or hit["ll"]
        yield Added(hit.end() - (2 if short else 1), "'")


def _breaks(text: str) -> Iterator[Added]:
    stretches = list(_STRETCH.finditer(text))
    least = _LONG if len(stretches) == 1 else _LONG_BESIDE_BREAKS
    for stretch in stretches:
        if stretch[0].count(" ") < least:
            continue
        for hit in _STARTS.finditer(text, stretch.start() + 1, stretch.end()):
            if not _BINDS.search(text, max(stretch.start(), hit.start() - 16), hit.start()):
                yield Added(hit.start(), ",")
