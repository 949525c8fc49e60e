"""The command that follows a broadcast on air."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.serve.options import examples, json_option, service, workspace_option


@click.command(
    "live",
    epilog=examples(
        "evidence flows live ../on-air/2026-06-05/",
        "evidence flows live s3://replays/on-air/05/live.m3u8",
        "evidence flows live ../segments/ --marker _COMPLETE --broadcast broadcast.json",
        "evidence flows live ../on-air/live.flv  # a file that is being written",
        "evidence flows live https://pull.example/live.flv --broadcast broadcast.json",
    ),
)
@click.argument("place")
@click.option("--broadcast", "broadcast_file", type=click.Path(path_type=Path))
@click.option("--playlist", default="", help="The playlist to follow, where there are several.")
@click.option("--marker", default="", help="Without a playlist: ended once this file is there.")
@click.option("--quiet-s", type=float, default=120, help="… or once nothing came for so long.")
@click.option("--patience-s", type=float, default=30, help="Wait so long for a missing segment.")
@click.option("--every-s", type=float, default=1, help="Look so often.")
@click.option("--seal-s", type=click.IntRange(min=1), default=60, help="Seal a part after this.")
@click.option("--again", is_flag=True, help="Also when it was set aside: it hung or crashed.")
@workspace_option
@json_option
def flow_live_command(
    place: str,
    broadcast_file: Path | None,
    playlist: str,
    marker: str,
    quiet_s: float,
    patience_s: float,
    every_s: float,
    seal_s: int,
    again: bool,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Follow a broadcast on air in PLACE: words can be searched while it goes on.

    PLACE is a folder, an s3:// prefix or a playlist in one: an HLS playlist that grows (of segments
    or of byte ranges), or numbered segments that land; or one file that is being written (FLV,
    MPEG-TS, fragmented MP4), or the http:// address of a stream. Needs broadcast.json there, or
    --broadcast. It ends when the playlist says so, the marker is there, the server has the stream no
    more, or nothing came for --quiet-s; then the recording is processed as any other, nothing is heard
    twice, and the two are compared. Killed, it continues when started again.

    \b
    JSON fields: prefix, release, segments, parts, versions, agrees, transcript,
    sealed_transcript, events (kind, sequence, name, sha256), lag (chunks, longest_ms, last_ms).
    """
    from pipeline.serve.commands_flows import flow_named
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    found = flow_named("live")(
        str(service(workspace).app.root),
        place,
        broadcast_file=str(broadcast_file) if broadcast_file else "",
        playlist=playlist,
        marker=marker,
        quiet_s=quiet_s,
        patience_s=patience_s,
        every_s=every_s,
        seal_ms=seal_s * 1000,
        again=again,
    )
    if as_json:
        say(dump(found))
        return
    same = "the same bytes as the batch" if found["agrees"] else "OTHER BYTES THAN THE BATCH"
    say(
        f"{found['prefix']}: {found['segments']} segments, {found['parts']} parts sealed, "
        f"{found['versions']} sealed again, {len(found['events'])} events; {same}"
    )
