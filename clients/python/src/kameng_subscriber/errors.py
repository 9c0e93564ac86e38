"""What can go wrong, in words."""

from __future__ import annotations


class SubscriberError(Exception):
    """The base of all of ours."""


class Unreadable(SubscriberError):
    """A message that is no event of ours. Says which part is wrong, never what it holds."""


class Misconfigured(SubscriberError):
    """Something that trying again does not mend: a wrong password, a missing right, a queue of another shape."""


class LogLost(Misconfigured):
    """What was handled here is not in the log any more: it was restored from an earlier moment. What takes its place
    would be taken for what is known already, so a person must decide what becomes of it."""


class Unavailable(SubscriberError):
    """Something that is tried again by itself: a gateway or a broker that does not answer."""


class HandlerFailed(SubscriberError):
    """The handler failed on an event again and again, and there is no queue for dead letters. Nothing was passed over:
    the event is the next one, when the subscriber is started again."""


class Later(SubscriberError):
    """Raised by a handler: not the event's fault, so wait and offer it again, for as long as it takes."""
