"""The compiled loop: events in order, the simulated venue beside the kernel, one pass.

Before an event everything the venue had to say by then is stepped; on a bar the venue matches
first, because its fills are known when the bar is and rank before it. After every step the
orders it decided reach the venue. `run` is the only thing that replay and shadow call.
"""

from __future__ import annotations

from confidence_engine.domain.event import BAR, CORPORATE, FUNDING
from confidence_engine.domain.jit import entry, stage
from confidence_engine.domain.lend import lend
from confidence_engine.kernel.door import sound
from confidence_engine.kernel.out import HEARD_AN_EVENT, LESSONS_A_BAR, STATUS_NO_ROOM, STATUS_OK
from confidence_engine.kernel.step import step
from confidence_engine.venues import sim

__all__ = ["run"]


@entry
def run(s, v, events, start, params, assumptions, out):
    """Index of the first event not stepped: len(events), or where room or the status ended the pass.

    s State, v Venue, events EVENT [n] in the total order, params and assumptions one-element
    records of `kernel.params.Params` and `venues.sim.Params`, out Out.
    """
    return _run(lend(s), lend(v), events, start, params[0], assumptions[0], lend(out))


@stage
def _run(s, v, events, start, p, q, out):
    """`run` with state, venue and output lent."""
    need = 4 * s.head[0].n_assets + 16
    for k in range(start, len(events)):
        if _full(s, out, need):
            return k
        event = events[k]
        if v.head[0].queued > 0:
            _deliver(s, v, event.ts_known, p, q, out)
        if event.kind == BAR and sound(s, event):
            sim.match(v, s, event, q)
            if v.head[0].queued > 0:
                _deliver(s, v, event.ts_known, p, q, out)
        elif event.kind == FUNDING and sound(s, event):
            sim.fund(v, s, event)
        elif event.kind == CORPORATE and sound(s, event):
            sim.adjust(v, s, event)
        if out.head[0].status == STATUS_OK:
            _advance(s, v, event, p, q, out)
        if out.head[0].status != STATUS_OK:
            out.head[0].where = k
            return k
    return len(events)


@stage
def _advance(s, v, event, p, q, out):
    """One step, and its orders to the venue."""
    sent = out.head[0].intents
    step(s, event, p, out)
    for k in range(sent, out.head[0].intents):
        sim.accept(v, s, out.intents[k], q)
    if v.head[0].lost > 0:
        out.head[0].status = STATUS_NO_ROOM


@stage
def _deliver(s, v, until_ns, p, q, out):
    """Step what the venue said by `until_ns`, oldest first; a step may make it say more."""
    h = v.head[0]
    while h.queued > 0 and v.queue[0].ts_known <= until_ns and out.head[0].status == STATUS_OK:
        _hear(s, v.queue[0], out)
        if out.head[0].status != STATUS_OK:
            return
        _advance(s, v, v.queue[0], p, q, out)  # what it adds is known later, so the first stays the first
        for k in range(1, h.queued):
            v.queue[k - 1] = v.queue[k]
        h.queued -= 1


@stage
def _hear(s, event, out):
    """Keep what the venue says with the place at which it is stepped, so that the order of all events is known."""
    head = out.head[0]
    if head.heard >= len(out.heard):
        head.status = STATUS_NO_ROOM
        return
    out.heard[head.heard] = event
    out.heard_at[head.heard] = s.head[0].steps
    head.heard += 1


@stage
def _full(s, out, need):
    """Whether the worst case of one event might not fit."""
    h = out.head[0]
    return (
        h.decisions + need > len(out.decisions)
        or h.intents + need > len(out.intents)
        or h.entries + need > len(out.entries)
        or h.equities + 1 > len(out.equities)
        or h.marks + s.head[0].n_assets > len(out.marks)
        or h.lessons + LESSONS_A_BAR + need > len(out.lessons)
        or h.heard + HEARD_AN_EVENT > len(out.heard)
    )
