"""Sealed bundles made for a viewer, kept, found again by an id, checked and fetched."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from pipeline.archive import State
from pipeline.errors import InputError, NotFound
from pipeline.model import Claim, Dossier, Frozen
from pipeline.provenance import canonical_bytes, content_id, sha256_file
from pipeline.serve.access.roles import Viewer
from pipeline.serve.service import Service

if TYPE_CHECKING:
    from pipeline.evidence.seal import Sealed

_ID = re.compile(r"[0-9a-f]{32}")
_ABOUT = "about.json"


class Parcel(Frozen):
    """A sealed bundle that is kept here."""

    bundle_id: str
    """Names it: a digest of what it is about and of the release it was made from."""
    broadcast_id: str
    """Of the recording in it."""
    claim_id: str = ""
    """The claim it was made for; empty for an order's."""
    of_order: bool = False
    """Whether it answers an order, and so is for those who may see orders."""
    name: str
    """Of its folder and its zip."""
    manifest_sha256: str
    """What its signature signs."""
    zip_sha256: str
    """Of the zip."""
    size_bytes: int
    """Of the zip."""
    stamped: tuple[str, ...] = ()
    """Authorities that time-stamped it."""
    untimestamped_by: tuple[str, ...] = ()
    """Authorities that were asked and did not answer; `evidence bundle --stamp` asks again."""


class Parcels:
    """Bundles within the limits of one viewer."""

    def __init__(
        self,
        works: Service,
        viewer: Viewer,
        placed: Callable[[str], tuple[State, Claim]],
        answered: Callable[[str], Dossier],
        state_of: Callable[[str], State],
        wrote: Callable[..., None],
    ) -> None:
        """``placed`` and ``state_of`` refuse what is hidden; ``wrote`` notes who took what."""
        self._works, self._viewer, self._wrote = works, viewer, wrote
        self._placed, self._answered, self._state_of = placed, answered, state_of

    def make(self, *, claim_id: str = "", order_id: str = "") -> Parcel:
        """The bundle of a claim or of an order's answer: the one that is there, or a new one.

        Raises:
            NotFound, InputError, ConfigError, IntegrityError, MediaError, ObjectArchived.
        """
        made = self._of_claim(claim_id) if claim_id else self._of_order(order_id)
        self._wrote(
            "exported", "bundle", bundle=made.bundle_id, manifest_sha256=made.manifest_sha256
        )
        return made

    def get(self, bundle_id: str) -> Parcel:
        """A bundle that was made.

        Raises:
            NotFound: it was not, or is not for this viewer.
        """
        self._viewer.require("read")
        about = self._folder(bundle_id) / _ABOUT
        if not _ID.fullmatch(bundle_id) or not about.exists():
            raise _missing(bundle_id)
        found = Parcel.model_validate_json(about.read_bytes())
        if found.of_order and not self._viewer.may("orders"):
            raise _missing(bundle_id)
        try:
            self._state_of(found.broadcast_id)
        except NotFound as error:
            raise _missing(bundle_id) from error
        return found

    def checked(self, bundle_id: str) -> dict[str, Any]:
        """The checks and verdicts of a bundle; never *trusted*: that takes a root from outside."""
        from pipeline.evidence import verify_bundle

        found = self.get(bundle_id)
        asked = verify_bundle.Asked(self._zip(found))
        said = verify_bundle.as_dict(asked, verify_bundle.verify(asked))
        return said | {"bundle": found.bundle_id}

    def archive(self, bundle_id: str) -> Path:
        """The zip of a bundle, to be taken away."""
        found = self.get(bundle_id)
        self._wrote("exported", "zip", bundle=bundle_id, sha256=found.zip_sha256)
        return self._zip(found)

    def _of_claim(self, claim_id: str) -> Parcel:
        from pipeline.serve.bundles import bundle_claim

        state, claim = self._placed(claim_id)
        about = {"broadcast_id": state.revision.broadcast.broadcast_id, "claim_id": claim.claim_id}
        bundle_id = content_id([state.prefix, state.release.number, claim.claim_id])[:32]
        return self._kept(
            bundle_id, about, lambda out: bundle_claim(self._works, claim.claim_id, out=out)
        )

    def _of_order(self, order_id: str) -> Parcel:
        from pipeline.serve.bundles import bundle_order

        dossier = self._answered(order_id)
        release = self._state_of(dossier.broadcast_id).release.number if dossier.broadcast_id else 0
        bundle_id = content_id([dossier.model_dump(mode="json"), release])[:32]
        about = {"broadcast_id": dossier.broadcast_id, "of_order": True}
        return self._kept(bundle_id, about, lambda out: bundle_order(self._works, dossier, out=out))

    def _kept(
        self, bundle_id: str, about: dict[str, Any], make: Callable[[Path], Sealed]
    ) -> Parcel:
        """Two that ask at once make it once; the note is written last, over a whole bundle."""
        folder = self._folder(bundle_id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(folder / ".lock"):
            place = folder / _ABOUT
            if not place.exists():
                parcel = _parcel(bundle_id, about, make(folder))
                draft = place.with_suffix(".draft")
                draft.write_bytes(canonical_bytes(parcel.model_dump(mode="json")))
                draft.replace(place)
        return Parcel.model_validate_json(place.read_bytes())

    def _folder(self, bundle_id: str) -> Path:
        return self._works.app.root / "bundles" / bundle_id

    def _zip(self, found: Parcel) -> Path:
        return self._folder(found.bundle_id) / f"{found.name}.zip"


def _parcel(bundle_id: str, about: dict[str, Any], sealed: Sealed) -> Parcel:
    if sealed.archive is None:
        raise InputError(
            "this bundle is too large for a zip",
            hint="seal it with `evidence bundle`, which leaves a folder",
        )
    return Parcel(
        bundle_id=bundle_id,
        **about,
        name=sealed.folder.name,
        manifest_sha256=sealed.manifest_sha256,
        zip_sha256=sha256_file(sealed.archive),
        size_bytes=sealed.archive.stat().st_size,
        stamped=sealed.stamped,
        untimestamped_by=tuple(refusal.authority for refusal in sealed.refused),
    )


def _missing(bundle_id: str) -> NotFound:
    return NotFound(f"no bundle {bundle_id!r}", hint="make it: POST /api/v1/bundles")
