"""Roles: what each may do, and whose broadcasts it sees."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from pipeline.errors import NotAllowed
from pipeline.index.nodes import Keyword, Node
from pipeline.model import Broadcast

Role = Literal["arbitrator", "agent", "merchant", "host", "party", "operator", "auditor", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
Right = Literal["read", "orders", "review", "cases", "disclose", "operate", "audit", "manage"]
"""``read``: search, broadcasts, moments, clips. ``orders``: answers to orders. ``review``: the
queue and its decisions. ``cases``: what cases disclose. ``disclose``: every case, and what is done
with it. ``operate``: state of the system, no content. ``audit``: who saw what.
``manage``: who is told by webhooks."""

RIGHTS: dict[str, frozenset[Right]] = {
    "arbitrator": frozenset({"read", "orders", "review", "cases", "disclose"}),
    "agent": frozenset({"read", "orders", "cases"}),
    "merchant": frozenset({"read", "cases"}),
    "host": frozenset({"read", "cases"}),
    "party": frozenset({"cases"}),
    "operator": frozenset({"operate"}),
    "auditor": frozenset({"read", "orders", "cases", "operate", "audit"}),
    "admin": frozenset(get_args(Right)),
    "local": frozenset(get_args(Right)),
}
"""``local`` is whoever sits at this machine while no key was ever made."""
LIMITED: frozenset[str] = frozenset({"merchant", "host"})
"""Roles that see their own broadcasts only."""
RECEIVERS: frozenset[str] = LIMITED | {"agent", "party"}
"""Roles that a case is disclosed to: they see no other. A party has no broadcasts of its own."""


class Viewer(NamedTuple):
    """Someone the door let in."""

    key_id: str
    """Of the key that opened it; ``local`` without keys."""
    name: str
    """What the key was made for; hostile text."""
    role: str
    """One of :data:`ROLES`, or ``local``."""
    merchants: tuple[str, ...] = ()
    """For a merchant: whose broadcasts."""
    hosts: tuple[str, ...] = ()
    """For a host or an agency: whose broadcasts."""

    @property
    def limited(self) -> bool:
        """Whether some broadcasts are hidden."""
        return self.role in LIMITED or self.role == "party"

    @property
    def every_case(self) -> bool:
        """Whether cases are open to it that were not disclosed to it."""
        return self.may("disclose") or self.may("audit")

    def may(self, right: Right) -> bool:
        """Whether the role has a right; an unknown role has none."""
        return right in RIGHTS.get(self.role, frozenset())

    def require(self, right: Right) -> None:
        """Carry on only with a right.

        Raises:
            NotAllowed: the role lacks it, whatever was asked for.
        """
        if not self.may(right):
            raise NotAllowed(
                f"the role {self.role} may not do this ({right})",
                hint="ask whoever gives out keys for one of another role",
            )

    def sees(self, broadcast: Broadcast) -> bool:
        """Whether a broadcast is one of its own; everything for roles without limits."""
        if not self.limited:
            return True
        return broadcast.merchant_id in self.merchants or broadcast.host_id in self.hosts

    def within(self) -> tuple[Node, ...]:
        """What keeps a search within its own broadcasts."""
        if not self.limited:
            return ()
        if self.role == "merchant":
            return (Keyword("merchant_id", self.merchants),)
        return (Keyword("host_id", self.hosts),)


LOCAL = Viewer("local", "local", "local")
