"""What the desk answers with, as types; made from its description by ``client/generate.py``.

They are plain dictionaries at run time: fields that a later desk adds do no harm.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class Segment(TypedDict):
    """Words and when they were said."""

    start_ms: int
    end_ms: int
    text: str
    prob_pm: int
    flags: list[str]


class Transcript(TypedDict):
    """A broadcast's words."""

    broadcast_id: str
    language: str
    producer: str
    verbatim: bool
    segments: list[Segment]
    gaps: list[Gap]


class Availability(TypedDict):
    """Whether a broadcast's recordings can be read now, and when they will be."""

    asked_utc_ms: int | None
    """When a restore was last asked for, while it is under way."""
    broadcast_id: str
    """Which."""
    expected_utc_ms: int | None
    """When it should be done at the latest."""
    objects: int
    """Objects its recordings are made of."""
    readable: int
    """How many of them can be read now."""
    sentence: dict[str, str]
    """The same in plain words, ``zh`` and ``en``."""
    state: Literal["warm", "restored", "restoring", "cold"]
    """Of all its recordings: ``warm``; ``restored`` (until ``until_utc_ms``); ``restoring``;
    ``cold``."""
    storage_class: str
    """What the store calls the class; empty for a warm one."""
    takes_s: dict[str, int]
    """For a cold one: how long a restore takes at most, by tier; empty where nobody says."""
    until_utc_ms: int | None
    """When the first restored copy ends."""
    viewing_proxy: bool
    """Whether there is a low-rate copy to look at meanwhile."""


class Backlog(TypedDict):
    """All that is of one standing."""

    count: int
    """How many."""
    hours: float
    """Recorded hours of the arrivals among them, estimated from their sizes."""
    oldest_s: int | None
    """Longest since anything was known of one."""
    standing: str
    """One of ``waiting``, ``parked``, ``running``, ``unfinished``, ``on_air``,
    ``quarantined``."""


class Box(TypedDict):
    """A rectangle in pixels of the displayed (rotated) frame, origin top left."""

    h_px: int
    """Height."""
    w_px: int
    """Width."""
    x_px: int
    """Left."""
    y_px: int
    """Top."""


class BroadcastCoverage(TypedDict):
    """What of one broadcast could not be searched."""

    broadcast_id: str
    """Which."""
    gaps: list[Gap]
    """Spans in which words may be missing."""
    listened_pm: int
    """Listened share, per mille."""


class BroadcastRow(TypedDict):
    """A finished broadcast in a list."""

    broadcast_id: str
    """Which."""
    counts: dict[str, int]
    """Segments, keyframes, screen lines, claims, gaps, milliseconds."""
    day: str
    """Broadcast day in its own offset; ``undated`` without one."""
    release: int
    """Current release."""


class BundleMade(TypedDict):
    """A sealed bundle, and how to fetch it."""

    bundle: Parcel
    """What it is about, and its hashes."""
    links: dict[str, str]
    """Its zip; with keys, the link opens it for ten minutes without one."""


class ByteRange(TypedDict):
    """Bytes of one part of the recording that hold every packet of the clip."""

    byte_end: int
    """Exclusive."""
    byte_start: int
    """First byte."""
    name: str
    """The part's file name; hostile text."""
    part: int
    """Index into the recording's parts."""
    sha256: str
    """Of the whole part."""


class Candidate(TypedDict):
    """A broadcast an order may come from."""

    broadcast_id: str
    """Which."""
    reasons: list[str]
    """Why."""
    score_pm: int
    """How likely, per mille."""


class CardLink(TypedDict):
    """A card, ready to be framed."""

    claim_id: str
    """Of the claim that it shows, and of no other."""
    origins: list[str]
    """Pages of these may frame it."""
    until_utc_ms: int
    """Until then."""
    url: str
    """Its address on this desk; with keys it opens for ten minutes without one."""


class CaseRow(TypedDict):
    """A case in a list."""

    case_id: str
    """Names it."""
    closed_utc_ms: int | None
    """When it was closed; null while it is open."""
    opened_utc_ms: int
    """When it was opened."""
    things: int
    """How many things of it you may see."""
    title: str
    """What it is called."""


class CaseShown(TypedDict):
    """A case, as far as it is yours to see."""

    case_id: str
    """Names it."""
    closed_utc_ms: int | None
    """When it was closed; null while it is open."""
    closed_why: str
    """Why it was closed."""
    disclosures: list[Disclosure]
    """All of them, or those to you."""
    opened_by: str
    """By whom."""
    opened_utc_ms: int
    """When it was opened."""
    parties: list[Party]
    """Whom it is about; keys of others are left out unless you see all of it."""
    things: list[ThingRow]
    """What you may see."""
    title: str
    """What it is called."""
    whole: bool
    """Whether you see all of it."""


class Claim(TypedDict):
    """One statement a buyer could check, tied to its moment."""

    box: Box | None
    """Where it stood, for a screen claim."""
    broadcast_id: str
    """Where it was said."""
    char_end: int
    """End, exclusive."""
    char_start: int
    """Start in the line's verbatim text."""
    claim_id: str
    """``<h4>-<first 12 digits of the work key>-<number>``; resolves for ever."""
    claim_type: Literal[
        "colour",
        "size",
        "style",
        "material",
        "ingredient",
        "quantity",
        "net_content",
        "price",
        "price_guarantee",
        "gift",
        "warranty",
        "returns",
        "after_sales",
        "shipping_time",
        "freight",
        "origin",
        "authenticity",
        "certification",
        "efficacy",
        "performance",
        "suitability",
        "shelf_life",
        "condition",
    ]
    """One of the 23 types."""
    condition: str
    """The words of a condition (前五十单, 会员); empty when there is none."""
    corrected_by: str | None
    """The later claim that corrects this one; a corrected claim stays."""
    corrects: str | None
    """The earlier claim this one corrects."""
    corroborated_by: list[str]
    """Claims of the other source that say the same at the same time."""
    cues: list[Cue]
    """The words behind each flag."""
    end_ms: int
    """End, exclusive."""
    hedged: bool
    """Softened by 差不多, 大概, "about" …"""
    host_id: str
    """Who spoke."""
    keyframe: int | None
    """Keyframe that shows it, or the nearest one."""
    listing: ListingCheck | None
    """The comparison with the listing; null without a listing."""
    mcn_id: str
    """The host's agency."""
    merchant_id: str
    """Who sells."""
    needs_review: bool
    """A person should hear it before relying on it."""
    polarity: Literal["affirm", "negate"]
    """``negate`` when the host denies the value."""
    prob_pm: int
    """Mean recognition probability of the quote, per mille."""
    producer: str
    """Rule set name and digest."""
    quote: str
    """The words as heard or read: an exact part of the line's verbatim text."""
    resolved: str
    """The quote with recognition errors resolved; empty when nothing was changed."""
    resolved_reason: str
    """Why it was resolved so."""
    review_reasons: list[str]
    """Why: ``doubtful_recognition``, ``unsure_sku``, ``circular``, ``speaker`` …"""
    risk_flags: list[str]
    """``absolute_term``, ``medical_claim``; never part of what a claim is."""
    room_operator_id: str
    """Who runs the room."""
    rule_id: str
    """The rule that made it."""
    schema_version: int
    """Version of this form."""
    segment_index: int
    """Index of the segment (or screen line)."""
    sku_confidence_pm: int
    """How sure the link is, per mille."""
    sku_id: str | None
    """The SKU meant; null for the whole room or unknown."""
    sku_reasons: list[str]
    """Why this SKU, in words."""
    source: Literal["speech", "screen"]
    """Heard or seen."""
    speaker: Literal["host", "viewer", "quoted", "unknown"]
    """Whose words; co-hosts count as host."""
    start_ms: int
    """Start of the quote on the broadcast's timeline."""
    value: str | list[str] | None
    """Normal form; a list for set-valued types."""
    verification: Verification | None
    """What a language model said about it; null when none is set up."""


class Clash(TypedDict):
    """Two claims that cannot both be right."""

    claim_ids: list[Any]
    """Both."""
    kind: Literal["value", "polarity"]
    """Two values of a type that has one, in one broadcast; or affirmed and denied."""
    values: list[Any]
    """What each says."""


class ClipAway(TypedDict):
    """What is answered instead of a clip while the recording is archived."""

    recording: Availability
    """Its state, and when it can be read."""
    viewing: ViewingMade | None
    """A copy to look at meanwhile; null where none was made."""


class ClipInfo(TypedDict):
    """What ``<name>.json`` holds."""

    asked_end_ms: int
    """Exclusive."""
    asked_start_ms: int
    """Span asked for, timeline milliseconds."""
    broadcast_id: str
    """Which broadcast."""
    chapters: list[list[Any]]
    """Where it goes on after a hole or in another part: ``(milliseconds of the clip, wall-clock
    time)``, as in the MP4; empty: it runs through."""
    claim_id: str | None
    """The claim it was cut for."""
    coded_anew: list[str]
    """Codecs that MP4 cannot hold and that were coded anew; empty: nothing was altered."""
    complete: bool
    """Whether all of the span asked for was recorded."""
    end: ClipMoment
    """The clip's end."""
    file_name: str
    """The recording's name; hostile text, never a path."""
    files: dict[str, str]
    """SHA-256 of each file beside this one, by name."""
    holes: list[list[Any]]
    """Holes within the clip: ``(timeline start, end, reason)``."""
    margin_ms: int
    """Kept before and after it where there was something."""
    merkle_root: str
    """Root of the recording's Merkle tree."""
    missing: list[list[Any]]
    """Stretches of the span asked for that this recording does not hold, timeline ms."""
    picture: ClipMoment | None
    """The instant of ``<name>.jpg``."""
    recording_id: str
    """Which recording."""
    recording_sha256: str
    """Hash of the recording."""
    schema_version: int
    """Version of this form."""
    source_ranges: list[ByteRange]
    """Where its packets lie in the recording."""
    start: ClipMoment
    """The clip's first instant."""
    tools: dict[str, str]
    """Versions of what made it."""


class ClipMade(TypedDict):
    """A clip, and how to fetch it."""

    clip_id: str
    """Of the clip: the claim's id, or ``s-`` and a digest of its span."""
    info: ClipInfo
    """Where it comes from: hashes, byte ranges, times."""
    links: dict[str, str]
    """Its files; with keys, each link opens its own file for ten minutes without one."""


class ClipMoment(TypedDict):
    """One instant on all three clocks."""

    media_ms: int
    """The recording's own time, milliseconds."""
    timeline_ms: int
    """Milliseconds since the broadcast's ``started_at``."""
    wall: WallTime | None
    """Null where no wall clock is known."""


class Correction(TypedDict, total=False):
    """What a person puts beside what the machine found; a null leaves that as it is."""

    claim_type: (
        Literal[
            "colour",
            "size",
            "style",
            "material",
            "ingredient",
            "quantity",
            "net_content",
            "price",
            "price_guarantee",
            "gift",
            "warranty",
            "returns",
            "after_sales",
            "shipping_time",
            "freight",
            "origin",
            "authenticity",
            "certification",
            "efficacy",
            "performance",
            "suitability",
            "shelf_life",
            "condition",
        ]
        | None
    )
    """The right type."""
    polarity: Literal["affirm", "negate"] | None
    """Whether it was affirmed or denied."""
    sku_id: str | None
    """The SKU meant; empty: none."""
    value: str | list[str] | None
    """The right value, in the normal form of its type."""


class CorrectionShown(TypedDict):
    """What a person wrote over a line."""

    correction: LineCorrection
    """As stored."""
    correction_id: str
    """The id to cite."""


class Coverage(TypedDict):
    """How much of a span an answer rests on."""

    end_ms: int
    """Exclusive."""
    gaps: list[Gap]
    """What is missing, and why."""
    listened_ms: int
    """Milliseconds in which every word there was would have been heard."""
    mean_prob_pm: int
    """Mean recognition probability over the speech, per mille."""
    speech_ms: int
    """Milliseconds of recognised speech."""
    start_ms: int
    """Span asked about."""


class Cue(TypedDict):
    """The words that caused a flag."""

    flag: str
    """``negate``, ``hedge``, ``condition``, ``viewer``, ``comparison``, ``correction`` …"""
    words: str
    """As they stand in the verbatim text."""


class Disclosure(TypedDict):
    """What was disclosed at once, to whom and why."""

    at_utc_ms: int
    """When."""
    by_name: str
    """Who disclosed."""
    ended_utc_ms: int | None
    """When it was withdrawn, or the case closed; null while it holds."""
    number: int
    """Names it within the case."""
    things: list[int]
    """Numbers of things."""
    to: list[str]
    """Key ids."""
    why: str
    """Why."""


class Divergence(TypedDict):
    """One work key that gave two outputs; the first to be written is the answer."""

    broadcast_id: str
    """Whose work."""
    first: str
    """SHA-256 of the pack that stands."""
    other: str
    """SHA-256 of the one beside it."""
    other_key: str
    """Where that one lies in the store."""
    stage: str
    """Which."""
    work_key: str
    """The key under which both were made."""


class Document(TypedDict):
    """One findable thing. Times are milliseconds on the broadcast's timeline."""

    also: list[str]
    """Further words it is found by: a resolved quote, a value."""
    amounts: list[list[Any]]
    """For a claim: ``(unit, number)`` pairs in its value; units as in
    ``pipeline.index.amounts``."""
    broadcast_id: str
    """Where it was said or seen."""
    claim_id: str
    """For a claim: its id."""
    claim_type: str
    """For a claim: one of the 23 types."""
    day: str
    """Broadcast day in the broadcast's own offset, ``YYYY-MM-DD``; ``undated`` without one."""
    doc_id: str
    """The claim id, or ``<broadcast>/s<segment>``, ``<broadcast>/f<screen line>``;
    ``<broadcast>/c<segment>`` for a person's words over a segment."""
    end_ms: int
    """End, exclusive."""
    host_id: str
    """Who speaks."""
    keyframe: int | None
    """Keyframe that shows it, or the nearest one before."""
    kind: Literal["claim", "line", "screen", "broadcast"]
    """What it is."""
    line_id: str
    """``s<segment>`` or ``f<screen line>``: the line it stands in."""
    merchant_id: str
    """Who sells."""
    needs_review: bool
    """For a claim: a person should hear it first."""
    pack: str
    """Key of the pack that holds it."""
    platform: str
    """Where it was shown."""
    polarity: str
    """For a claim: ``affirm`` or ``negate``."""
    prob_pm: int
    """Recognition probability, per mille."""
    product: str
    """The SKU's name on the page."""
    release: int
    """Release it was read from."""
    role: str
    """For screen text: ``card``, ``comment`` (a viewer's, never a claim), ``banner`` …;
    ``corrected`` for a person's words over a spoken line."""
    sku_id: str
    """The SKU meant or on stage; empty when unknown."""
    source: str
    """``speech`` or ``screen``."""
    start_ms: int
    """Start."""
    summary: Summary | None
    """For a broadcast: what was listened to."""
    text: str
    """Verbatim: the quote, the spoken line or the screen line."""
    value: list[str]
    """For a claim: its value."""
    wall_uncertainty_ms: int | None
    """± of it."""
    wall_utc_ms: int | None
    """UTC of the start; null without a wall clock."""
    zone_minutes: int
    """Offset in which wall times are shown, minutes east of Greenwich."""


class Dossier(TypedDict):
    """The answer to one order."""

    broadcast_id: str
    """The broadcast answered from; empty when none is known."""
    candidates: list[Candidate]
    """Where the broadcast was not named: the ranked candidates."""
    coverage: Coverage
    """Of the SKU's windows."""
    looked_for: list[str]
    """Claim types looked for, strongest first."""
    moments: list[OrderMoment]
    """Ranked; each says how it stands to the order."""
    order_id: str
    """Which order."""
    schema_version: int
    """Version of this form."""
    sentence: dict[str, str]
    """One plain sentence, ``zh`` and ``en``."""
    sku_id: str
    """What was bought."""
    verdict: Literal["found", "not_said", "cannot_say"]
    """``found``, ``not_said`` (and we listened) or ``cannot_say`` (we could not)."""
    warnings: list[str]
    """What was odd, in words."""
    windows: list[list[Any]]
    """The SKU's windows looked at."""


class FacetCount(TypedDict):
    """How many matches have a value."""

    count: int
    """Matches."""
    value: str
    """The field's value; empty for none."""


class Gap(TypedDict):
    """A span that was not processed, and why. Nothing is dropped without one."""

    detail: str
    """Words for a person."""
    end_ms: int
    """Exclusive."""
    missing: bool
    """Whether words may be missing; False for silence that was listened to."""
    reason: str
    """A code: ``no_recording``, ``no_audio``, ``silence``, ``corrupt``, ``vad``, ``guard`` …"""
    stage: str
    """``ingest``, ``transcribe``, ``keyframes``, ``claims``."""
    start_ms: int
    """On the broadcast's timeline."""


class Hit(TypedDict):
    """One document found."""

    document: Document
    """The document, whole."""
    grouped: int
    """With collapsing: how many matches this hit stands for."""
    highlights: list[list[Any]]
    """``[start, end)`` in the document's verbatim text, in order."""
    match: Literal["literal", "related", "sound", "near"]
    """How it was found; hits are ordered by this first."""
    media_time: str
    """The start on the broadcast's timeline, ``H:MM:SS.mmm``."""
    wall_time: str
    """The start in the broadcast's own offset, ISO 8601 with milliseconds; empty without a
    clock."""


class Item(TypedDict):
    """One arrival or broadcast that is not simply done."""

    age_s: int | None
    """Seconds since the last that is known of it; None where nothing is."""
    error: str
    """Its last error code."""
    hours: float
    """For an arrival: recorded hours, estimated from its size."""
    message: str
    """And what it said."""
    name: str
    """Place of an arrival, or a broadcast id."""
    standing: Literal["waiting", "parked", "quarantined", "running", "unfinished", "on_air"]
    """``waiting``: not tried, or to be tried again; ``parked``: no worker had room for it, and
    ``message`` says what was short; ``unfinished``: begun, and nobody is at it on this machine;
    ``on_air``: sealed parts and no end yet."""
    tries: int
    """For an arrival: how often it was tried."""


class Layer(TypedDict):
    """What stands over a claim now: the last decision about its words."""

    at_utc_ms: int
    """When."""
    by_name: str
    """Who decided."""
    correction: Correction | None
    """What is right instead; null unless corrected."""
    decided_on: str
    """The claim it was made on; another id where it was carried over from an older version."""
    heard: str
    """What the reviewer heard before seeing the listing."""
    number: int
    """Number of the decision among the broadcast's records."""
    reason: str
    """Why."""
    verdict: Literal["confirmed", "corrected", "rejected"]
    """Confirmed, corrected or rejected."""


class Like(TypedDict):
    """A kept picture."""

    at_ms: int
    """Milliseconds on the broadcast's timeline."""
    colour_pm: int
    """Colours that both have, per mille."""
    hash_bits: int
    """Bits, of 64, in which the perceptual hashes differ, over the best part of the picture."""
    image_sha256: str
    """Of the stored JPEG."""
    number: int
    """Of the keyframe within the broadcast."""
    score_pm: int
    """How like the photo it is, per mille: hash and colours together."""


class Likeness(TypedDict):
    """The kept pictures most like a photo, the likest first."""

    broadcast_id: str
    """Where it was shown; empty where no broadcast is known."""
    label: dict[str, str]
    """What likeness is and is not, ``zh`` and ``en``: to be shown with it."""
    likest: list[Like]
    """At most six."""
    looked_at: int
    """Of them, compared."""
    order_id: str
    """Whose product."""
    photo_sha256: str
    """Of the photo as it was sent; it is not kept."""
    pictures: int
    """Kept while the product was shown."""
    sku_id: str
    """The product."""


class LineCorrection(TypedDict):
    """What a person wrote over a line, as stored."""

    at_utc_ms: int
    """When."""
    by_id: str
    """Key of the person."""
    by_name: str
    """Name of the person."""
    end_ms: int
    """Its end, exclusive."""
    line_id: str
    """The machine's line that the person saw."""
    machine_text: str
    """What the machine wrote, verbatim."""
    number: int
    """In the order of writing, over all lines of the broadcast."""
    reason: str
    """Why."""
    schema_version: int
    """Version of this form."""
    start_ms: int
    """Start of the line on the broadcast's timeline."""
    text: str
    """What was said, in the person's ear."""


class LineShown(TypedDict):
    """A line of a transcript, the machine's words first."""

    after: int
    """Number of the last correction: give it back with yours."""
    broadcast_id: str
    """Where it was said."""
    cited: CorrectionShown | None
    """The correction that was asked for by its id."""
    end_ms: int
    """End, exclusive."""
    history: list[CorrectionShown]
    """Every correction of these words, of whatever version."""
    line_id: str
    """The id to cite the machine's words by, whatever becomes of them."""
    standing: CorrectionShown | None
    """The correction that stands over it; null without one."""
    start_ms: int
    """Start on the broadcast's timeline."""
    text: str
    """What the machine wrote, verbatim."""


class ListingCheck(TypedDict):
    """A claim beside what the listing said."""

    agreement: Literal["agrees", "contradicts", "not_stated", "needs_review"]
    """Verdict; ``needs_review`` when leaving the listing out would change the claim."""
    field: str
    """Listing field compared with; empty when none fits."""
    listed: str
    """The listing's own text."""
    reason: str
    """Why, in words; ``circular`` among them."""


class NewCorrection(TypedDict):
    """Words to stand over a line."""

    after: int | None
    """The last correction you know of; another one meanwhile is refused. Null: do not check."""
    reason: str
    """Why."""
    text: str
    """What was said."""


class Operations(TypedDict):
    """What whoever operates the desk looks at."""

    backlog: list[Backlog]
    """By standing, empty ones too."""
    broadcasts: int
    """In the search index."""
    divergences: list[Divergence]
    """Work that gave other bytes the second time."""
    duration_ms: int
    """Their length together."""
    free_bytes: int
    """Free on its disk."""
    incomplete: list[BroadcastCoverage]
    """Broadcasts with gaps, the worst first, at most 100."""
    index_error: str
    """Why the search index does not answer now, and nothing is known of coverage; else
    empty."""
    listened_ms: int
    """Of it, listened to without loss."""
    scratch_budget_bytes: int
    """Its bound; 0: none."""
    scratch_used_bytes: int
    """In this process's scratch folder."""
    waits: list[Wait]
    """Who on this machine waits for a store or an index that is away, or for room, and since
    when."""
    work: list[Item]
    """What is not done, at most 500 of it."""


class OrderMoment(TypedDict):
    """A place to listen to, at most 30 s long, that starts at the claim."""

    claim: Claim
    """The claim, whole."""
    claim_id: str
    """The claim it opens at."""
    end_ms: int
    """Exclusive."""
    reasons: list[str]
    """Why it was ranked so, in words."""
    score: int
    """Rank score; larger is more relevant. Comparable within one answer only."""
    standing: Literal["before", "after", "cannot_tell"]
    """Before or after the order, or within the clocks' uncertainty."""
    start_ms: int
    """On the broadcast's timeline."""
    wall_uncertainty_ms: int | None
    """± of it."""
    wall_utc_ms: int | None
    """UTC of the start; null without a wall clock."""


class Parcel(TypedDict):
    """A sealed bundle that is kept here."""

    broadcast_id: str
    """Of the recording in it."""
    bundle_id: str
    """Names it: a digest of what it is about and of the release it was made from."""
    claim_id: str
    """The claim it was made for; empty for an order's."""
    manifest_sha256: str
    """What its signature signs."""
    name: str
    """Of its folder and its zip."""
    of_order: bool
    """Whether it answers an order, and so is for those who may see orders."""
    size_bytes: int
    """Of the zip."""
    stamped: list[str]
    """Authorities that time-stamped it."""
    untimestamped_by: list[str]
    """Authorities that were asked and did not answer; `evidence bundle --stamp` asks again."""
    zip_sha256: str
    """Of the zip."""


class Party(TypedDict):
    """Someone a case is about: by role and key, so that no name stays in the store."""

    key_id: str
    """Its key at the desk, or the record of the person; empty for one without."""
    role: Literal["buyer", "merchant", "host", "agency", "platform", "other"]
    """Buyer, merchant, host, agency, platform, other."""


class Producer(TypedDict):
    """What made an output; enough to make it again."""

    model: str
    """Model or rule set name."""
    model_digest: str
    """SHA-256 of the model or the rules."""
    parameters: dict[str, Any]
    """Every setting that can change bytes."""
    stage: Literal["ingest", "transcribe", "keyframes", "claims", "viewing"]
    """Which stage."""
    version: str
    """Version of the stage's code that can change bytes."""


class QueuePage(TypedDict):
    """Claims that wait for a person."""

    cursor: str
    """Give it back for the next page; empty on the last."""
    hits: list[Hit]
    """Undecided ones, in order of time."""
    sent_to_review: int
    """All that the machine sent to review, decided or not."""


class ReviewRecord(TypedDict):
    """One step of a review, as stored."""

    at_utc_ms: int
    """When."""
    by_id: str
    """Key of the reviewer."""
    by_name: str
    """Name of the reviewer."""
    claim: Claim
    """The machine's claim as the reviewer had it; its listing comparison is left out of
    *heard*."""
    correction: Correction | None
    """For a corrected claim."""
    heard: str
    """The words the reviewer heard; empty when they could not be made out."""
    number: int
    """In the order of writing, over all claims of the broadcast."""
    reason: str
    """Why, in the reviewer's words."""
    schema_version: int
    """Version of this form."""
    step: Literal["heard", "decided"]
    """What was heard, or what was decided after that."""
    verdict: Literal["confirmed", "corrected", "rejected"] | None
    """For *decided*."""


class ReviewSheet(TypedDict):
    """A claim with its history."""

    after: int
    """Number of the last decision: give it back with yours."""
    claim: Claim
    """The machine's claim; its listing comparison is null until you wrote down what you
    heard."""
    history: list[ReviewRecord]
    """Every step about these words."""
    layer: Layer | None
    """The decision that stands; null without one."""
    listing_hidden: bool
    """Whether the listing is still kept from you."""


class ReviewedAnswer(TypedDict):
    """A page of hits, with what people decided about them."""

    coverage: SearchCoverage
    """What was searched."""
    cursor: str
    """Give it back for the next page; empty on the last."""
    facets: dict[str, list[FacetCount]]
    """Field to its commonest values, over ``facets_of`` matches."""
    facets_of: int
    """How many matches were counted for the facets: all, or the best where there are very
    many."""
    hits: list[Hit]
    """Literal hits first, then related ones, then sound-alikes, then those that sound nearly
    alike."""
    query: str
    """As it was typed."""
    reviews: dict[str, Layer]
    """By claim id, the decision that stands over a hit."""
    total: int
    """All matches (all groups, when collapsed)."""


class ReviewedDossier(TypedDict):
    """An answer to an order, with what people decided about its moments."""

    broadcast_id: str
    """The broadcast answered from; empty when none is known."""
    candidates: list[Candidate]
    """Where the broadcast was not named: the ranked candidates."""
    coverage: Coverage
    """Of the SKU's windows."""
    looked_for: list[str]
    """Claim types looked for, strongest first."""
    moments: list[OrderMoment]
    """Ranked; each says how it stands to the order."""
    order_id: str
    """Which order."""
    recording: Availability | None
    """Whether the recording behind it can be read now; null without a broadcast."""
    reviews: dict[str, Layer]
    """By claim id, the decision that stands over a moment."""
    schema_version: int
    """Version of this form."""
    sentence: dict[str, str]
    """One plain sentence, ``zh`` and ``en``."""
    sku_id: str
    """What was bought."""
    verdict: Literal["found", "not_said", "cannot_say"]
    """``found``, ``not_said`` (and we listened) or ``cannot_say`` (we could not)."""
    warnings: list[str]
    """What was odd, in words."""
    windows: list[list[Any]]
    """The SKU's windows looked at."""


class Said(TypedDict):
    """One claim about the SKU."""

    broadcast_id: str
    """Where it was said."""
    changed: bool
    """Another value than in the broadcast before."""
    claim_id: str
    """Opens at its moment."""
    condition: str
    """The words of a condition."""
    day: str
    """Broadcast day."""
    host_id: str
    """Who said it."""
    listed: str
    """What the listing said instead, where they contradict each other."""
    media_time: str
    """On the broadcast's timeline."""
    needs_review: bool
    """The machine was unsure, and nobody decided."""
    polarity: str
    """``affirm`` or ``negate``."""
    quote: str
    """The words."""
    review: Layer | None
    """A person's decision."""
    value: list[str]
    """Its value; a person's correction stands here in place of the machine's."""
    wall_time: str
    """ISO 8601 in the broadcast's offset; empty without a clock."""


class SaidLine(TypedDict):
    """A line of the transcript."""

    corrected: str | None
    """What a person wrote over it; null without."""
    end_ms: int
    """End, exclusive."""
    line_id: str
    """The id to cite."""
    start_ms: int
    """Start on the broadcast's timeline."""
    text: str
    """What the machine wrote, verbatim."""


class SearchCoverage(TypedDict):
    """What the answer rests on: without it, *nothing found* would mean nothing."""

    broadcasts: int
    """Broadcasts searched."""
    duration_ms: int
    """Their length together."""
    incomplete: list[BroadcastCoverage]
    """Broadcasts with gaps, the worst first, at most 100."""
    listened_ms: int
    """Of it, listened to without loss."""
    speech_ms: int
    """Recognised speech."""


class SkuReport(TypedDict):
    """All claims about a SKU that the viewer may see."""

    broadcasts: int
    """In how many broadcasts."""
    claims: int
    """How many claims there are."""
    looked_into: int
    """In how many of these conditions, corrections and the listing were looked at."""
    products: list[str]
    """Its names on the pages, the latest first."""
    shown: int
    """How many of them are here; the newest, where there are too many."""
    sku_id: str
    """Which."""
    stories: list[Story]
    """By type, the most talked of first."""


class Story(TypedDict):
    """What was said of one type."""

    claim_type: str
    """Which."""
    clashes: list[Clash]
    """Among them."""
    said: list[Said]
    """Oldest first."""


class Summary(TypedDict):
    """How much of one broadcast an answer rests on."""

    documents: int
    """Documents that the broadcast has in an index, this one included."""
    duration_ms: int
    """Length of the timeline."""
    gaps: list[Gap]
    """Spans in which words may be missing."""
    listened_ms: int
    """Of it, listened to without loss."""
    speech_ms: int
    """Recognised speech."""


class ThingRow(TypedDict):
    """Something that belongs to a case."""

    broadcast_id: str
    """Its broadcast; empty where none is known."""
    end_ms: int
    """End, exclusive; 0 for an order."""
    kind: Literal["order", "claim", "span", "broadcast"]
    """``order``, ``claim``, ``span`` or ``broadcast``."""
    number: int
    """Its number within the case."""
    ref: str
    """Order id (empty once its buyer was forgotten), claim id or broadcast id."""
    release: int
    """Of a span or a broadcast: the release meant; else 0."""
    start_ms: int
    """Start on the broadcast's timeline; 0 for an order."""


class ThingShown(TypedDict):
    """A thing of a case, with what it shows."""

    case_id: str
    """Of which case."""
    claim: Claim | None
    """Of a claim."""
    claims: list[Claim]
    """Of a span or a broadcast: the claims within it."""
    dossier: Dossier | None
    """Of an order: its answer as it is now, with the moments that you may see."""
    lines: list[SaidLine]
    """Of a span or a broadcast: the lines that touch it."""
    review: Layer | None
    """The decision that stands over it."""
    thing: ThingRow
    """Which thing."""
    title: str
    """The broadcast's."""
    wall_uncertainty_ms: int | None
    """± of it."""
    wall_utc_ms: int | None
    """UTC of the start; null without a wall clock."""
    withheld: int
    """Moments of the answer that were not disclosed."""


class Verification(TypedDict):
    """What an optional language model said about a claim."""

    answer: Literal["confirmed", "rejected", "unsure", "unverified"]
    """Its verdict; ``unverified`` when there is none that can be used."""
    model: str
    """The model asked, as the settings name it; empty when none was asked."""
    prompt_digest: str
    """SHA-256 over the prompt that all claims share."""
    question_digest: str
    """SHA-256 over the messages sent about this claim; empty when none was."""
    reason: str
    """Why there is none: ``timeout``, ``unreachable``, ``http_500``, ``not_an_answer`` …"""


class ViewingClip(TypedDict):
    """What ``<name>.viewing.json`` holds."""

    asked_end_ms: int
    """Exclusive."""
    asked_start_ms: int
    """Span asked for, timeline milliseconds."""
    broadcast_id: str
    """Which broadcast."""
    claim_id: str | None
    """The claim it was cut for."""
    end: ClipMoment
    """The clip's end."""
    files: dict[str, str]
    """SHA-256 of each file beside this one, by name."""
    kind: str
    """Says what it is wherever it turns up."""
    producer: Producer
    """What made the proxy."""
    proxy_sha256: str
    """Hash of the proxy it was cut from."""
    recording_id: str
    """The recording it shows."""
    recording_sha256: str
    """Hash of that recording."""
    said: dict[str, str]
    """The same in words, ``zh`` and ``en``."""
    schema_version: int
    """Version of this form."""
    start: ClipMoment
    """The clip's first instant."""
    tools: dict[str, str]
    """Versions of what cut it."""


class ViewingMade(TypedDict):
    """A viewing copy, which is no evidence, and how to fetch it."""

    info: ViewingClip
    """What it is, and where it comes from."""
    links: dict[str, str]
    """Its files; with keys, each link opens its own file for ten minutes without one."""


class Wait(TypedDict):
    """A process of this workspace that waits now."""

    age_s: int
    """For so long."""
    message: str
    """What the service said when the wait began."""
    service: str
    """``store``, ``index``, or ``room`` in the scratch folder."""
    what: str
    """What it works on: a broadcast, or the place of one that is not taken in yet."""


class WallTime(TypedDict):
    """An instant on the wall clock."""

    at: str
    """ISO 8601 in the broadcast's offset."""
    source: str
    """Which clock says so."""
    uncertainty_ms: int
    """± milliseconds."""


class WebhookMade(TypedDict):
    """A receiver that was registered just now."""

    hook_id: str
    """Names it."""
    made_by: str
    """By whom."""
    made_utc_ms: int
    """When it was registered."""
    name: str
    """What it is for."""
    origin: str
    """Its address without path and query, which may be secret."""
    secret: str
    """Key of its signatures (Standard Webhooks), shown this once."""
    types: list[str]
    """Events that it is told; empty: all."""


class WebhookRow(TypedDict):
    """A registered receiver."""

    hook_id: str
    """Names it."""
    made_by: str
    """By whom."""
    made_utc_ms: int
    """When it was registered."""
    name: str
    """What it is for."""
    origin: str
    """Its address without path and query, which may be secret."""
    types: list[str]
    """Events that it is told; empty: all."""


class WebhookTried(TypedDict):
    """What became of a message sent to try a receiver."""

    delivered: bool
    """Whether it took the message."""
    hook_id: str
    """Which."""
    status: int
    """HTTP status of its answer; 0 where there was none."""
