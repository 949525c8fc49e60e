"""The media room's door: the only room that speaks FFmpeg.

A file becomes a :class:`MediaSource`; everything else asks the source. Nothing heavy is
imported until it is used.
"""

from pipeline.media.audio import AudioBlock, audio_blocks
from pipeline.media.binary import ffmpeg_path, ffmpeg_version, library_versions
from pipeline.media.chapters import Chapter, write_chapters
from pipeline.media.clockmap import RecordingClock, build
from pipeline.media.cut import CutResult, bytes_of, cut
from pipeline.media.fragments import fragment, header_of
from pipeline.media.growing import Growing, GrowingFile, Piece
from pipeline.media.inspect import Inspection, Probed, inspect, packet_index, probe, sha256_of
from pipeline.media.pictures import Picture, jpeg_bytes, key_pictures, picture_at
from pipeline.media.playlist import Entry, Listing, closed, listing
from pipeline.media.remote import can_be_remote, remote_bytes, remote_source
from pipeline.media.replay import pieces, playlist
from pipeline.media.sliced import checked
from pipeline.media.source import MediaSource, Segment, open_source, source_of
from pipeline.media.viewing import covered, exact_cut

__all__ = [
    "AudioBlock",
    "Chapter",
    "CutResult",
    "Entry",
    "Growing",
    "GrowingFile",
    "Inspection",
    "Listing",
    "MediaSource",
    "Picture",
    "Piece",
    "Probed",
    "RecordingClock",
    "Segment",
    "audio_blocks",
    "build",
    "bytes_of",
    "can_be_remote",
    "checked",
    "closed",
    "covered",
    "cut",
    "exact_cut",
    "ffmpeg_path",
    "ffmpeg_version",
    "fragment",
    "header_of",
    "inspect",
    "jpeg_bytes",
    "key_pictures",
    "library_versions",
    "listing",
    "open_source",
    "packet_index",
    "picture_at",
    "pieces",
    "playlist",
    "probe",
    "remote_bytes",
    "remote_source",
    "sha256_of",
    "source_of",
    "write_chapters",
]
