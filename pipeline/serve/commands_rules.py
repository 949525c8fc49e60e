"""Commands for rule authors: list, test, try, explain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.serve.options import examples, json_option, service, workspace_option

if TYPE_CHECKING:
    from pipeline.claims.desk import RuleCard, Trial
    from pipeline.model import Claim

_rules_option = click.option(
    "--rules",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of rule files; else the rules built in.",
)


@click.group(
    "rules",
    epilog=examples(
        "evidence rules list --type price",
        "evidence rules test",
        "evidence rules try '这款质保两年，不支持七天无理由'",
        "evidence rules explain 3f2a-0123456789ab-17",
    ),
)
def rules_command() -> None:
    """Write and check the rules that find claims (docs/rules.md)."""


@rules_command.command("list", epilog=examples("evidence rules list --type warranty"))
@click.option("--type", "kind", help="Only this claim type or kind of cue.")
@_rules_option
@json_option
def list_command(kind: str | None, folder: Path | None, as_json: bool) -> None:
    """List every rule and cue with the place where it stands.

    \b
    JSON: a list. Fields: id, kind (rule, cue), type, language, file, line, pattern, examples,
    counter_examples (how many of each).
    Exit code 5 when a rule file is wrong.
    """
    from pipeline.claims.desk import cards
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say, table

    found = [card for card in cards(_folder(folder)) if kind in (None, card.type)]
    if as_json:
        say(dump([card._asdict() for card in found]))
        return
    rows = (
        (
            c.id,
            c.kind,
            c.type,
            c.language,
            f"{c.file}:{c.line}",
            f"{c.examples}+{c.counter_examples}",
        )
        for c in found
    )
    headers = ("id", "kind", "type", "lang", "place", "examples")
    table(headers, rows, title=f"{len(found)} rules and cues")


@rules_command.command(
    "test", epilog=examples("evidence rules test", "evidence rules test --rules my-rules --json")
)
@_rules_option
@json_option
@click.pass_context
def test_command(ctx: click.Context, folder: Path | None, as_json: bool) -> None:
    """Run every rule and cue against its examples and counter-examples.

    \b
    JSON fields: rules, cues, sentences (how many were tried), failures: a list of id, file,
    line (of the sentence), problem, sentence.
    Exit code 5 when a sentence fails or a rule file is wrong (unknown key, duplicate id …).
    """
    from pipeline.claims.desk import cards, faults
    from pipeline.errors import RuleError
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import clean, note, say

    failed, found = faults(_folder(folder)), cards(_folder(folder))
    counts: dict[str, Any] = {
        "rules": sum(c.kind == "rule" for c in found),
        "cues": sum(c.kind == "cue" for c in found),
        "sentences": sum(c.examples + c.counter_examples for c in found),
    }
    if as_json:
        say(dump(counts | {"failures": [f._asdict() for f in failed]}))
    else:
        for one in failed:
            note(clean(f"{one.file}:{one.line}: {one.id} {one.problem}: {one.sentence}"))
        say(
            f"{counts['rules']} rules and {counts['cues']} cues, {counts['sentences']} sentences, "
            f"{len(failed)} failures"
        )
    if failed:
        ctx.exit(RuleError.exit_code)


@rules_command.command(
    "try",
    epilog=examples(
        "evidence rules try '这款质保两年，不支持七天无理由'",
        "evidence rules try '码数有哪些? | S到3XL' --product 羊毛大衣",
        "evidence rules try 'around one seventy nine' --lang en --json",
    ),
)
@click.argument("text")
@click.option("--lang", type=click.Choice(["zh", "en"]), help="Language; else that of the text.")
@click.option("--product", "products", multiple=True, help="A product on sale; the first is shown.")
@_rules_option
@json_option
def try_command(
    text: str, lang: str | None, products: tuple[str, ...], folder: Path | None, as_json: bool
) -> None:
    """Find the claims in TEXT, and show what came near. ` | ` parts lines said in turn.

    \b
    JSON fields: lines, claims (as in `evidence claims --json`), near_misses: a list of rule_id,
    quote, reason (a kind of cue, or which of the rule's own conditions failed), words.
    Exit code 5 when a rule file is wrong.
    """
    from pipeline.claims.desk import open_detector, trial
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    if not text.strip(" |"):
        raise click.UsageError("give a sentence to try")
    detector = open_detector(_folder(folder))
    found = trial(text, detector=detector, language=lang or "", products=products)
    if as_json:
        claims = [c.model_dump(mode="json") for c in found.claims]
        misses = [m._asdict() for m in found.near_misses]
        say(dump({"lines": found.lines, "claims": claims, "near_misses": misses}))
        return
    _show_trial(found)


@rules_command.command("explain", epilog=examples("evidence rules explain 3f2a-0123456789ab-17"))
@click.argument("claim_id")
@_rules_option
@workspace_option
@json_option
def explain_command(
    claim_id: str, folder: Path | None, workspace: Path | None, as_json: bool
) -> None:
    """Say why the claim CLAIM_ID is what it is: its rule, and the words behind each flag.

    \b
    JSON fields: claim (as in `evidence claims --json`), rule (as in `evidence rules list --json`;
    null when no rule has this id any more), same_rules (whether the rules are still those that
    made the claim), classifier (pairs of a trait of the quote and its weight for the type).
    Exit codes: 5 when a rule file is wrong, 12 when there is no such claim.
    """
    from pipeline.claims.desk import card_of, open_detector, spoken_for
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    _, claim = service(workspace).claim(claim_id)
    rule, detector = card_of(claim.rule_id, _folder(folder)), open_detector(_folder(folder))
    same, traits = detector.producer == claim.producer, spoken_for(claim, detector)
    if as_json:
        card = rule._asdict() if rule else None
        told = {"claim": claim.model_dump(mode="json"), "rule": card, "same_rules": same}
        say(dump(told | {"classifier": traits}))
        return
    _show_claim(claim)
    _show_rule(claim, rule, same=same)
    if traits:
        say("    to the classifier: " + ", ".join(f"{t} {w:+d}" for t, w in traits))


# --- how it looks ------------------------------------------------------------------------------


def _folder(asked: Path | None) -> Path:
    from pipeline.claims.rules import RULES_FOLDER

    return asked or RULES_FOLDER


def _show_trial(found: Trial) -> None:
    from pipeline.serve.render import clean, say

    for claim in found.claims:
        line = found.lines[claim.segment_index]
        marked = f"{line[: claim.char_start]}【{claim.quote}】{line[claim.char_end :]}"
        say(clean(f"  {marked}"))
        _show_claim(claim)
    if not found.claims:
        say("no claim")
    if found.near_misses:
        say("near misses:")
    for miss in found.near_misses:
        words = f" ({miss.words})" if miss.words else ""
        say(clean(f"  {miss.rule_id}: {miss.quote} — {miss.reason}{words}"))


def _show_claim(claim: Claim) -> None:
    from pipeline.serve.render import clean, say, standing, value_text
    from pipeline.timeline import clock

    say(clean(f"{claim.claim_type} = {value_text(claim.value)}  {standing(claim)}".rstrip()))
    told = [("rule", claim.rule_id), ("quote", f"{claim.quote} at {clock(claim.start_ms)}")]
    told += [(cue.flag, cue.words) for cue in claim.cues]
    flags = {cue.flag for cue in claim.cues}
    if claim.polarity == "negate" and not flags & {"negate", "flip"}:
        told.append(("negate", f"{claim.quote} (the rule itself denies)"))
    told += [("condition", claim.condition), ("corrects", claim.corrects or "")]
    told += [("corrected by", claim.corrected_by or ""), ("SKU", claim.sku_id or "none")]
    told += [("because", reason) for reason in claim.sku_reasons]
    told += [("review", reason) for reason in claim.review_reasons]
    if claim.resolved:
        told.append(("resolved", f"{claim.resolved} — {claim.resolved_reason}"))
    if claim.listing:
        listing = claim.listing
        told.append(("listing", f"{listing.agreement}: {listing.field} {listing.listed}"))
        told.append(("because", listing.reason))
    if claim.verification:
        said = claim.verification
        told.append(("verifier", f"{said.answer} {said.reason} {said.model}".replace("  ", " ")))
    for name, words in told:
        if words:
            say(clean(f"    {name}: {words}"))


def _show_rule(claim: Claim, rule: RuleCard | None, *, same: bool) -> None:
    from pipeline.serve.render import clean, note, say

    if rule is None:
        note(clean(f"note: no rule has the id {claim.rule_id} any more"))
        return
    say(clean(f"    {rule.file}:{rule.line}: {rule.id}"))
    say(clean(f"    pattern: {rule.pattern}"))
    if not same:
        note(clean(f"note: made by {claim.producer}; the rules have changed since"))
