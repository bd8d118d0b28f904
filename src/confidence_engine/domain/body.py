"""What the five numbers of an event say: a reader for each, named after the kind.

These readers and the writers of `domain.event` are the whole layout of `x`; an index into it appears in these two
files and nowhere else. They are compiled, one line each. `domain.event` hands them on, so one import serves.
"""

from __future__ import annotations

from confidence_engine.domain.jit import stage

__all__ = [
    "bar_close", "bar_high", "bar_low", "bar_open", "bar_volume", "command_code", "command_value",
    "corporate_value", "corporate_what", "feed_of", "feed_value", "feed_what", "fill_fee", "fill_leaves",
    "fill_lots", "fill_order", "fill_ticks", "funding_mark", "funding_rate", "reject_order", "reject_reason",
    "score_horizon", "score_mean", "score_std", "session_close", "session_offset", "session_open", "session_span",
    "signal_certainty", "signal_cluster", "signal_novelty", "signal_polarity", "signal_relevance",
    "timer_is_grid", "timer_missed",
]  # fmt: skip


@stage
def bar_open(event):  # type: ignore[no-untyped-def]
    """First traded price of the bar."""
    return event.x0


@stage
def bar_high(event):  # type: ignore[no-untyped-def]
    """Highest price of the bar."""
    return event.x1


@stage
def bar_low(event):  # type: ignore[no-untyped-def]
    """Lowest price of the bar."""
    return event.x2


@stage
def bar_close(event):  # type: ignore[no-untyped-def]
    """Last price of the bar."""
    return event.x3


@stage
def bar_volume(event):  # type: ignore[no-untyped-def]
    """Volume of the bar, in base."""
    return event.x4


@stage
def funding_rate(event):  # type: ignore[no-untyped-def]
    """Fraction of notional that longs pay shorts."""
    return event.x0


@stage
def funding_mark(event):  # type: ignore[no-untyped-def]
    """Mark price of the payment, NaN where the venue gave none."""
    return event.x1


@stage
def signal_polarity(event):  # type: ignore[no-untyped-def]
    """Direction of the story, [-1, 1]."""
    return event.x0


@stage
def signal_certainty(event):  # type: ignore[no-untyped-def]
    """How sure the reader is, [0, 1]."""
    return event.x1


@stage
def signal_novelty(event):  # type: ignore[no-untyped-def]
    """1 - similarity to what was known, [0, 1]."""
    return event.x2


@stage
def signal_relevance(event):  # type: ignore[no-untyped-def]
    """How much the story is about this underlying, [0, 1]."""
    return event.x3


@stage
def signal_cluster(event):  # type: ignore[no-untyped-def]
    """Id of the story, however often retold."""
    return event.x4


@stage
def score_mean(event):  # type: ignore[no-untyped-def]
    """Expected log return over the horizon."""
    return event.x0


@stage
def score_std(event):  # type: ignore[no-untyped-def]
    """Standard deviation of that return."""
    return event.x1


@stage
def score_horizon(event):  # type: ignore[no-untyped-def]
    """Horizon in ns."""
    return event.x2


@stage
def fill_order(event):  # type: ignore[no-untyped-def]
    """Order id."""
    return event.x0


@stage
def fill_ticks(event):  # type: ignore[no-untyped-def]
    """Price in integer ticks."""
    return event.x1


@stage
def fill_lots(event):  # type: ignore[no-untyped-def]
    """Signed integer lots, + bought."""
    return event.x2


@stage
def fill_fee(event):  # type: ignore[no-untyped-def]
    """Fee in quote, + paid."""
    return event.x3


@stage
def fill_leaves(event):  # type: ignore[no-untyped-def]
    """Signed lots of the order still open."""
    return event.x4


@stage
def reject_order(event):  # type: ignore[no-untyped-def]
    """Order id."""
    return event.x0


@stage
def reject_reason(event):  # type: ignore[no-untyped-def]
    """Reason code, see `domain.order`."""
    return event.x4


@stage
def session_open(event):  # type: ignore[no-untyped-def]
    """When the session opens, ns."""
    return event.x0


@stage
def session_close(event):  # type: ignore[no-untyped-def]
    """When it closes, ns."""
    return event.x1


@stage
def session_offset(event):  # type: ignore[no-untyped-def]
    """Local time less UTC, ns."""
    return event.x2


@stage
def session_span(event):  # type: ignore[no-untyped-def]
    """Trading time that the session is worth, ns."""
    return event.x3


@stage
def corporate_what(event):  # type: ignore[no-untyped-def]
    """SPLIT or DIVIDEND."""
    return event.x0


@stage
def corporate_value(event):  # type: ignore[no-untyped-def]
    """New shares for one old, or quote a share."""
    return event.x1


@stage
def command_code(event):  # type: ignore[no-untyped-def]
    """Command code, see `domain.order`."""
    return event.x0


@stage
def command_value(event):  # type: ignore[no-untyped-def]
    """Argument of the command, NaN where it has none."""
    return event.x1


@stage
def feed_what(event):  # type: ignore[no-untyped-def]
    """What a feed did, a code of `domain.event.FEED_NAMES`."""
    return event.x0


@stage
def feed_value(event):  # type: ignore[no-untyped-def]
    """How much of it, in the unit that `domain.event.FEED_NAMES` gives; NaN where there is none."""
    return event.x1


@stage
def feed_of(event):  # type: ignore[no-untyped-def]
    """Kind of the events that the feed brings, 0 for the ingress clock itself."""
    return event.x2


@stage
def timer_is_grid(event):  # type: ignore[no-untyped-def]
    """1 on the decision grid, 0 after evidence."""
    return event.x0


@stage
def timer_missed(event):  # type: ignore[no-untyped-def]
    """Grid ticks missed before this one."""
    return event.x1
