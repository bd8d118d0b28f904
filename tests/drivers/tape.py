"""Small random worlds for the compiled loop: bars, stories, funding, commands and timers on one tape, from a seed.

Run as a program it plays a few of them and prints the hashes of everything that came out, so that another process,
with the compiler on or off, can be asked whether it sees the same bytes:

    python -m tests.drivers.tape SEED [SEED ...]
"""

from __future__ import annotations

import hashlib
import sys
from typing import Any, NamedTuple

import numpy as np
from tests.kernel.world import BAR_NS, PERP, START, make_state, walk

from confidence_engine.domain.event import (
    EVENT,
    KIND_RANK,
    bar_events,
    command_event,
    funding_events,
    signal_events,
    timer_events,
)
from confidence_engine.domain.order import CMD_FLATTEN, CMD_HALT, CMD_LIMIT, CMD_RESUME
from confidence_engine.domain.params import params_record
from confidence_engine.domain.units import HOUR_NS, MINUTE_NS, SECOND_NS
from confidence_engine.drivers.loop import run
from confidence_engine.kernel.out import HEARD_AN_EVENT, LESSONS_A_BAR, Out, clear, new_out
from confidence_engine.kernel.params import Params
from confidence_engine.kernel.state import State, state_hash
from confidence_engine.venues import sim

__all__ = ["Said", "World", "digest", "narrow", "play", "world"]

LISTS = ("decisions", "intents", "entries", "equities", "marks", "lessons", "decided_at", "heard", "heard_at")
COUNTED = {"decided_at": "decisions", "heard_at": "heard"}


class World(NamedTuple):
    """Everything `run` takes but the output."""

    state: State
    venue: sim.Venue
    events: np.ndarray
    params: np.ndarray
    assume: np.ndarray


class Said(NamedTuple):
    """Everything that was drained."""

    decisions: np.ndarray
    intents: np.ndarray
    entries: np.ndarray
    equities: np.ndarray
    marks: np.ndarray
    lessons: np.ndarray
    decided_at: np.ndarray
    heard: np.ndarray
    heard_at: np.ndarray


def world(seed: int, bars: int = 150, assets: int = 3, **sim_params: Any) -> World:
    """A world in which there is something to trade most of the time; odd seeds trade spot, even ones perpetuals."""
    rng = np.random.default_rng(seed)
    volume = float(rng.choice([0.02, 1.0, 50.0]))  # of a price about 20,000: thin to deep
    pieces = []
    for i in range(assets):
        close = START + BAR_NS * np.arange(1, bars + 1)
        columns = walk(rng, bars, 20_000.0, float(rng.choice([0.001, 0.004, 0.02])))
        columns[:, 4] *= volume * (rng.random(bars) > 0.1)
        pieces.append(bar_events(close, close + SECOND_NS, i, 1, tuple(columns.T)))
        paid = START + HOUR_NS * np.arange(1, bars * BAR_NS // HOUR_NS)
        if seed % 2 == 0:
            pieces.append(funding_events(paid, paid + SECOND_NS, i, 2, rng.normal(0.0, 0.001, len(paid))))
    told = np.sort(START + rng.integers(0, bars * BAR_NS, bars * assets // 6))
    n = len(told)
    reading = (rng.uniform(-1, 1, n), np.ones(n), np.ones(n), np.ones(n), rng.integers(0, n, n).astype(float))
    pieces.append(signal_events(told, told, rng.integers(0, assets, n), rng.integers(0, 4, n), reading))
    pieces.append(timer_events(START + 2 * SECOND_NS + BAR_NS * np.arange(1, bars + 1), True))
    pieces.append(timer_events(told + SECOND_NS, False))
    for at in START + rng.integers(0, bars * BAR_NS, 3):
        code = int(rng.choice([CMD_HALT, CMD_FLATTEN, CMD_LIMIT]))
        pieces.append(command_event(int(at), code, 30_000.0))
        pieces.append(command_event(int(at) + 20 * MINUTE_NS, CMD_RESUME))
    events = np.concatenate(pieces)
    order = np.lexsort(
        (events["ts_event"], events["asset"], events["source"], KIND_RANK[events["kind"]], events["ts_known"])
    )
    kind: dict[str, Any] = PERP | {"funding_ns": HOUR_NS} if seed % 2 == 0 else {}
    state = make_state(assets, equity=100_000.0, **kind)
    # a mark far from the last price: a third of the worlds meets liquidation before its stop; a fifth fills at a touch
    rules = {"mark_noise": 5.0 if seed % 3 == 0 else 0.1, "touch_share": 0.5 if seed % 5 == 0 else 0.0}
    assume = params_record(sim.Params()._replace(**{"order_bars": int(rng.integers(1, 4))} | rules | sim_params))
    return World(state, sim.new_venue(len(state.asset), 100_000.0), events[order], _eager(rng), assume)


def _eager(rng: np.random.Generator) -> np.ndarray:
    """Parameters that trade often, and in every style."""
    p = Params()
    p = p._replace(
        price=p.price._replace(min_obs=5, full_obs=6, atr_frame_ns=BAR_NS, atr_obs=5.0),
        divergence=p.divergence._replace(trigger=0.2),
        gates=p.gates._replace(min_strength=0.0, min_volume_z=-5.0, cooldown_ns=0),
        sizing=p.sizing._replace(risk_per_trade=0.05, liquidation_stops=float(rng.choice([1.0, 1.0, 2.0]))),
        risk=p.risk._replace(trades_a_day=100, trades_a_week=500, single_max=1.0, net_max=3.0, gross_max=3.0),
        algos=p.algos._replace(
            style=str(rng.choice(["immediate", "participation", "limit"])),
            participation=0.2,
            limit_atr=float(rng.choice([0.0, 0.1, 0.5])),
            cross=bool(rng.integers(2)),
        ),
        exits=p.exits._replace(stop_atr=2.0, target_atr=3.0, trail_from_atr=1.0, trail_atr=1.0, hold_ns=2 * HOUR_NS),
    )
    return params_record(p)


def narrow(w: World, rows: int) -> Out:
    """An output with room for one step and `rows` rows more, smaller than a driver would make it."""
    out, need = new_out(len(w.state.asset)), 4 * int(w.state.head[0].n_assets) + 16
    most = {"lessons": LESSONS_A_BAR + need + rows, "heard": HEARD_AN_EVENT + rows, "heard_at": HEARD_AN_EVENT + rows}
    cut = {name: getattr(out, name)[: most.get(name, need + rows)] for name in Out._fields[1:] if name != "refusals"}
    return out._replace(**cut)


def play(w: World, rows: int = 65_536, size: int = 1 << 60) -> Said:
    """The whole tape, handed to `run` in pieces of `size` events, with `rows` rows of output to spare."""
    out = narrow(w, rows)
    drained: dict[str, list[np.ndarray]] = {name: [] for name in LISTS}
    at = 0
    while at < len(w.events):
        done = run(w.state, w.venue, w.events[: min(at + size, len(w.events))], at, w.params, w.assume, out)
        if out.head[0].status:
            raise AssertionError(f"status {out.head[0].status} at event {out.head[0].where}")
        for name in LISTS:
            drained[name].append(getattr(out, name)[: int(out.head[0][COUNTED.get(name, name)])].copy())
        clear(out)
        at = int(done)
    return Said(*(np.concatenate(drained[name]) for name in LISTS))


def digest(w: World, said: Said) -> str:
    """SHA-256 over the state, the venue's books and everything drained."""
    h = hashlib.sha256(state_hash(w.state).encode())
    for array in (*w.venue, *said):
        h.update(np.ascontiguousarray(array).tobytes())
    return h.hexdigest()


if __name__ == "__main__":
    assert EVENT.itemsize == 64
    for argument in sys.argv[1:]:
        one = world(int(argument), bars=60, assets=2)
        print(argument, digest(one, play(one)))
