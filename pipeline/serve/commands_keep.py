"""Commands about what must stay and what may go: hold, holds, dispose, forget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.serve.options import (
    examples,
    json_option,
    lang_option,
    language,
    service,
    workspace_option,
)

if TYPE_CHECKING:
    from pipeline.evidence.disposal_plan import Plan
    from pipeline.evidence.holds import Step

_PATH = click.Path(path_type=Path)
_why = click.option("--why", default="", help="Why; kept in the record.")
_by = click.option("--by", default="", help="Who; else the name the system knows.")


def _words(lang: str | None, zh: str, en: str) -> str:
    return zh if language(lang) == "zh" else en


@click.command(
    "hold",
    epilog=examples(
        "evidence hold '(2026) 0105-123' --broadcast sample-zh01 --why 'court order'",
        "evidence hold '(2026) 0105-123' --order ORD-26060501",
        "evidence hold --lift '(2026) 0105-123' --why 'judgment is final'",
    ),
)
@click.argument("case")
@click.option("--broadcast", "broadcasts", multiple=True, help="A broadcast; may be repeated.")
@click.option(
    "--order", "orders", multiple=True, help="An order and its broadcasts; may be repeated."
)
@click.option("--lift", "lifts", is_flag=True, help="End the hold of this case.")
@_why
@_by
@workspace_option
@json_option
@lang_option
def hold_command(
    case: str,
    broadcasts: tuple[str, ...],
    orders: tuple[str, ...],
    lifts: bool,
    why: str,
    by: str,
    workspace: Path | None,
    as_json: bool,
    lang: str | None,
) -> None:
    """Put broadcasts and orders under the legal hold of CASE, or --lift it.

    While any case covers it, nothing of a broadcast is disposed of and no buyer's key is
    destroyed. Where the store has legal holds, they are set on every object too. Said again, it
    adds to the case, and covers what was stored since.

    \b
    JSON fields: case, number, action (hold, lift), broadcasts, orders (keyed hashes), by, why,
    at_utc_ms, writer, program, new, store_objects, store_reason (why the store itself holds
    nothing; empty where it does).
    """
    from pipeline.serve import keeping
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import note, say

    if lifts == bool(broadcasts or orders):
        raise click.UsageError("name broadcasts or orders to hold, or --lift and nothing else")
    works = service(workspace)
    done = (
        keeping.lift(works, case, why=why, by=by)
        if lifts
        else keeping.hold(works, case, broadcasts=broadcasts, orders=orders, why=why, by=by)
    )
    if as_json:
        more = {"store_objects": done.marked.objects, "store_reason": done.marked.reason}
        say(dump(keeping.as_fields(done.step) | {"new": done.new} | more))
        return
    say(_case_line(done.step, lang))
    count = done.marked.objects
    say(_words(lang, f"存储本身:{count} 个对象", f"in the store itself: {count} objects"))
    if done.marked.reason:
        note(_words(lang, "存储本身不支持冻结,仅本程序拒绝删除", "held by this program alone"))
        note(done.marked.reason)


def _case_line(step: Step, lang: str | None) -> str:
    from pipeline.serve.render import clean
    from pipeline.timeline import from_utc_ms

    zh, en = ("冻结中", "holds") if step.action == "hold" else ("已解除", "lifted")
    at = from_utc_ms(step.at_utc_ms).isoformat(timespec="seconds")
    names = ", ".join(one.broadcast_id for one in step.covers.broadcasts) or "–"
    broadcasts, orders = len(step.covers.broadcasts), len(step.covers.orders)
    return clean(
        _words(
            lang,
            f"{step.case}:{zh},{broadcasts} 场直播({names}),{orders} 个订单;{step.by},{at} {step.why}",
            f"{step.case}: {en} {broadcasts} broadcasts ({names}), {orders} orders; "
            f"{step.by}, {at} {step.why}",
        )
    )


@click.command(
    "holds",
    epilog=examples(
        "evidence holds", "evidence holds --broadcast sample-zh01", "evidence holds --json"
    ),
)
@click.option("--broadcast", help="Only cases that cover this broadcast.")
@click.option("--order", help="Only cases that cover this order.")
@click.option("--all", "every", is_flag=True, help="Also cases that were lifted.")
@workspace_option
@json_option
@lang_option
def holds_command(
    broadcast: str | None,
    order: str | None,
    every: bool,
    workspace: Path | None,
    as_json: bool,
    lang: str | None,
) -> None:
    """List the legal holds by case, with what they cover, who placed them, when and why.

    \b
    JSON: one object a line. Fields: case, number, action, broadcasts, orders (keyed hashes), by,
    why, at_utc_ms, writer, program.
    """
    from pipeline.evidence.holds import cases
    from pipeline.serve.keeping import as_fields
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    works = service(workspace)
    hashed = works.book.hashed_order(order) if order else ""
    for step in cases(works.app.store):
        fields = as_fields(step)
        other = broadcast is not None and broadcast not in fields["broadcasts"]
        if other or (hashed and hashed not in fields["orders"]):
            continue
        if every or step.action == "hold":
            say(dump(fields) if as_json else _case_line(step, lang))


@click.command(
    "dispose",
    epilog=examples(
        "evidence dispose --plan plan.json --why 'retention ended'   # changes nothing",
        "evidence dispose plan.json                                  # shows it again",
        "evidence dispose plan.json --apply",
    ),
)
@click.argument("file", type=_PATH, required=False)
@click.option("--plan", "new_file", type=_PATH, help="Write a new plan to this file.")
@click.option("--apply", "applies", is_flag=True, help="Carry the plan in FILE out.")
@_why
@_by
@workspace_option
@json_option
@lang_option
def dispose_command(
    file: Path | None,
    new_file: Path | None,
    applies: bool,
    why: str,
    by: str,
    workspace: Path | None,
    as_json: bool,
    lang: str | None,
) -> None:
    """Plan the disposal of broadcasts whose retention has ended, and carry a plan out.

    Nothing is removed without --apply. Exactly the plan is carried out, or (exit code 14) nothing
    where something changed since; what a case holds is refused (13). Custody stays; a signed
    record lists the hashes of what was removed. After an interruption the same command finishes.

    \b
    JSON fields: plan_id, broadcasts (broadcast_id, prefix, retain_until_utc_ms, recordings,
    objects: key, size_bytes, etag, sha256), kept_back (broadcast_id, retain_until_utc_ms,
    held_by), made_utc_ms, by, why, size_bytes; with --apply: plan_id, broadcasts (ids), objects,
    size_bytes, record, new.
    """
    from pipeline.evidence.disposal_plan import plain, read_plan
    from pipeline.runner import read_bytes
    from pipeline.serve import keeping
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    if (file is None) == (new_file is None) or (applies and file is None):
        raise click.UsageError("give --plan FILE to make a plan, or a plan's file, with --apply")
    if file is not None and applies:
        done = keeping.carry_out(service(workspace).app, file, by=by)
        zh, en = ("已删除", "removed") if done.new else ("此前已删除", "had been removed before")
        said = _words(
            lang,
            f"{zh} {len(done.broadcasts)} 场直播,{done.objects} 个对象,{done.size_bytes} 字节;{done.record}",
            f"{en}: {len(done.broadcasts)} broadcasts, {done.objects} objects, "
            f"{done.size_bytes} bytes; {done.record}",
        )
        say(dump(done._asdict()) if as_json else said)
        return
    if file is not None:
        plan = read_plan(read_bytes(file), name=str(file))
    else:
        assert new_file is not None  # noqa: S101
        plan = keeping.draw_plan(service(workspace).app, new_file, why=why, by=by)
    if as_json:
        say(dump(plain(plan) | {"plan_id": plan.plan_id, "size_bytes": plan.size_bytes}))
    else:
        _show_plan(plan, lang)


def _show_plan(plan: Plan, lang: str | None) -> None:
    from pipeline.serve.render import clean, say, table
    from pipeline.timeline import from_utc_ms

    def day(at_utc_ms: int) -> str:
        return from_utc_ms(at_utc_ms).date().isoformat()

    rows = [
        (clean(one.broadcast_id), day(one.retain_until_utc_ms), len(one.objects),
         sum(o.size_bytes for o in one.objects))
        for one in plan.broadcasts
    ]  # fmt: skip
    table(("broadcast", "kept until", "objects", "bytes"), rows)
    for back in plan.kept_back:
        held = ", ".join(back.held_by)
        name = f"{back.broadcast_id} ({day(back.retain_until_utc_ms)})"
        say(clean(_words(lang, f"保留:{name},因 {held}", f"stays: {name}, held by {held}")))
    say(
        _words(
            lang,
            f"计划 {plan.plan_id}:{len(plan.broadcasts)} 场,{plan.size_bytes} 字节;尚未删除任何内容",
            f"plan {plan.plan_id}: {len(plan.broadcasts)} broadcasts, {plan.size_bytes} bytes; "
            "nothing was removed",
        )
    )


@click.command(
    "forget",
    epilog=examples(
        "evidence forget buyer-42 --why 'request of 2026-06-05'",
        "evidence forget --order ORD-26060501",
    ),
)
@click.argument("subject", required=False)
@click.option("--order", help="The person of this order.")
@_why
@_by
@workspace_option
@json_option
@lang_option
def forget_command(
    subject: str | None,
    order: str | None,
    why: str,
    by: str,
    workspace: Path | None,
    as_json: bool,
    lang: str | None,
) -> None:
    """Destroy the key of SUBJECT (a buyer's id as imported): their orders are lost for ever.

    Refused (exit code 13) while a case holds one of the orders or a broadcast that they name.
    A signed record stays; recordings, claims and every bundle sealed before verify as before.
    Backups of the workspace's keys/ folder keep the key until they are replaced.

    \b
    JSON fields: subject (keyed hash), objects, record, new.
    """
    from pipeline.serve.keeping import forget_person
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    if bool(subject) == bool(order):
        raise click.UsageError("name a person, or one of their orders with --order")
    works = service(workspace)
    done = forget_person(works, subject=subject or "", order_id=order or "", why=why, by=by)
    if as_json:
        say(dump(done._asdict()))
        return
    zh, en = (
        ("已销毁密钥", "key destroyed") if done.new else ("此前已销毁密钥", "was destroyed before")
    )
    say(
        _words(
            lang,
            f"{zh}:{done.objects} 份订单数据永久不可读;{done.record}",
            f"{en}: {done.objects} stored versions of orders can never be read; {done.record}",
        )
    )
