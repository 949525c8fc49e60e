"""The end of a broadcast on air: what was heard is handed to the batch, and compared with it."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from pipeline.archive import State
from pipeline.bootstrap import Application
from pipeline.ingest.run import retain_until
from pipeline.journal import Ending, Journal, Seal, item_of, newest, taken_in
from pipeline.outputs import transcript_pack
from pipeline.plan import workplace
from pipeline.provenance import sha256_hex
from pipeline.transcribe.run import Listening


def hand_over(app: Application, prefix: str, heard: Path) -> int:
    """Give the readings made on air to the transcribe stage; how many it has now."""
    place = workplace(app.context(), prefix, "transcribe")
    if place is None:
        return 0
    place.mkdir(parents=True, exist_ok=True)
    for file in heard.glob("*.json"):
        shutil.copyfile(file, place / f"{file.name}.part")
        (place / f"{file.name}.part").replace(place / file.name)
    return sum(1 for _ in place.glob("*.json"))


def close(app: Application, state: State) -> Ending:
    """Compare the sealed parts with the released transcript, and record the end."""
    until = retain_until(state.revision, settings=app.settings)
    journal = Journal(app.store, state.prefix, retain_until=until)
    seals = journal.seals()
    taken, events = taken_in(seals)
    released = state.output("transcribe")
    ending = Ending(
        release=state.release.number,
        segments=len(taken),
        parts=len(newest(seals)),
        versions=sum(seal.version > 1 for seal in seals),
        transcript=released.content if released else "",
        sealed_transcript=sealed_transcript(app, state, newest(seals)),
        events=tuple(events),
        at_utc_ms=time.time_ns() // 1_000_000,
    )
    journal.end(ending)
    return ending


def sealed_transcript(app: Application, state: State, seals: list[Seal]) -> str:
    """Content id of the transcript that the sealed parts add up to on the final clock map."""
    revision = state.revision
    listening = Listening(revision.broadcast, app.transcriber, app.settings.transcribe, None)
    spans = [s for s in revision.clock_map.spans if s.recording_index == 0]
    for stretch in (one for seal in seals for one in seal.stretches):
        listening.place(item_of(stretch), spans)
    holes = [*revision.recordings[0].holes, *(seals[-1].holes if seals else ())]
    listening.lose(holes, spans)
    total = max((s.end_ms for s in revision.clock_map.spans), default=0)
    return sha256_hex(transcript_pack(listening.finish(revision.clock_map, total)))
