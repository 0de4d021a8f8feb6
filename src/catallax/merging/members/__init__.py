"""Members of a router: whatever answers, here, behind a pipe, or behind a URL."""

from catallax.merging.members.endpoint import Endpoint as Endpoint
from catallax.merging.members.member import Gone as Gone
from catallax.merging.members.member import Member as Member
from catallax.merging.members.member import Said as Said
from catallax.merging.members.process import Process as Process

__all__ = ["Endpoint", "Gone", "Member", "Process", "Said"]
