//! The counters as Prometheus text, by the names that dashboards and alerts rely on.

use std::fmt::{Display, Write};

use tickwire_shared::Protocol;
use tickwire_shared::schema::{GROUPS, Schema};

use super::board::Glimpse;
use super::hub::Hub;
use super::tally::Drop as Dropped;
use super::timing::{Histogram, STAGES, TICK_BUCKETS_MICROS, Timing};
use super::totals::Totals;
use super::visitors::TooMany;
use crate::config::OverloadStep as Step;
use crate::host::KindBits;

/// What of a room makes it one of the busiest.
type Measure = fn(&Glimpse) -> f64;

/// Groups of fields in the order of the schema, and what says which of them were not as foreseen.
const FIELD_GROUPS: [&str; GROUPS + 1] = ["position", "angle", "rotation", "other", "mask"];

/// Everything that is counted, now.
pub(super) fn text<P: Protocol>(hub: &Hub<P>) -> String {
    let (Totals { counters, timing, answers }, rooms) = hub.rooms.survey();
    let mut page = Page(String::new());
    page.gauge("rooms", "Rooms.", rooms.len());
    let asleep = rooms.iter().filter(|room| room.asleep).count();
    page.gauge("sleeping_rooms", "Rooms that do not tick because nobody is in them.", asleep);
    let draining = u8::from(hub.rooms.draining().is_some());
    page.gauge("draining", "1 while the server goes away.", draining);
    let loads = hub.rooms.worker_loads();
    let busiest = loads.iter().copied().max().unwrap_or(0);
    page.gauge(
        "busiest_worker_ratio",
        "Load of the busiest thread with rooms, last second.",
        f64::from(busiest) / 1e3,
    );
    page.gauge("workers", "Threads with rooms.", loads.len());
    page.gauge("clients", "Clients in rooms.", rooms.iter().map(|room| room.status.clients).sum::<usize>());
    let away = rooms.iter().map(|room| room.status.away_clients).sum::<usize>();
    page.gauge("away_clients", "Clients that lost their connection and may come back.", away);
    let paused = rooms.iter().map(|room| room.status.paused_clients).sum::<usize>();
    page.gauge("paused_clients", "Clients for which nothing is packed at the moment.", paused);
    page.gauge(
        "entities",
        "Entities in all rooms.",
        rooms.iter().map(|room| room.status.entities).sum::<usize>(),
    );
    // Asked from inside the runtime always, but for tests that look at the text alone.
    let tasks = tokio::runtime::Handle::try_current().map_or(0, |handle| handle.metrics().num_alive_tasks());
    page.gauge("tasks", "Tasks of the runtime: two per session, one per handshake.", tasks);

    page.gauge("ready", "1 while new sessions are let in.", usize::from(hub.is_ready()));
    page.top_rooms(&rooms, hub.live.get().metrics.top_rooms);

    page.counter("ticks_total", "Ticks simulated.", &[("", counters.ticks)]);
    page.counter("tick_late_total", "Ticks that began after their deadline.", &[("", timing.late)]);
    page.overload(&rooms, &timing);
    page.counter(
        "joins_refused_total",
        "Newcomers turned away by overloaded rooms.",
        &[("", counters.joins_refused)],
    );
    page.counter("tick_skipped_total", "Ticks given up.", &[("", timing.skipped)]);
    let missed = hub.recordings.missed_ticks();
    page.counter("recording_missed_ticks_total", "Ticks left out of recordings.", &[("", missed)]);
    let stages = STAGES.iter().zip(&timing.stages);
    let stages: Vec<_> = stages.map(|(stage, times)| (format!("stage=\"{stage}\""), times)).collect();
    page.histogram("tick_duration_seconds", "Time per tick and stage.", &stages);
    let lateness = [(String::new(), &timing.lateness)];
    page.histogram("tick_lateness_seconds", "How long after their deadlines ticks began.", &lateness);
    let simulated = [(String::new(), &timing.simulated)];
    page.histogram(
        "tick_simulated_seconds",
        "Time from a tick's begin until its step is made: hearing and stepping, before frames are packed and sent.",
        &simulated,
    );
    let whole = [(String::new(), &timing.whole)];
    page.histogram(
        "tick_whole_seconds",
        "Time per tick, all stages together, without what other rooms of the thread took in between.",
        &whole,
    );
    let latest = timing.late_micros_max as f64 / 1e6;
    page.gauge("tick_lateness_max_seconds", "The latest begin of a tick since the start.", latest);
    page.counter("inspections_total", "Questions of inspectors to rooms.", &[("", answers.0)]);
    let took = "Time that rooms took to answer inspectors, between ticks.";
    page.head("inspection_seconds_total", took, "counter");
    page.line(format_args!("tickwire_inspection_seconds_total {}", answers.1 as f64 / 1e6));

    let tally = &hub.tally;
    page.counter("connections_total", "TCP connections accepted.", &[("", tally.accepted.total())]);
    page.counter("accept_errors_total", "Failures to accept.", &[("", tally.accept_errors.total())]);
    let turned_away =
        TooMany::ALL.map(|why| (format!("reason=\"{}\"", why.label()), tally.those_turned_away(why)));
    page.counter(
        "turned_away_total",
        "Connections refused because there were too many of their kind.",
        &turned_away,
    );
    let lost = "Connections that ended in TLS or a PROXY header.";
    page.counter("arrivals_lost_total", lost, &[("", tally.arrivals_lost.total())]);
    page.counter("upgrades_refused_total", "Refused upgrades.", &[("", tally.upgrades_refused.total())]);
    page.counter("sessions_total", "WebSocket connections.", &[("", tally.sessions.total())]);
    let ends: Vec<_> =
        tally.ends().into_iter().map(|(how, count)| (format!("code=\"{}\"", how.label()), count)).collect();
    page.counter("closes_total", "Ended WebSocket connections by close code.", &ends);
    page.counter(
        "received_bytes_total",
        "Bytes of WebSocket frames received.",
        &[("", tally.received_bytes.total())],
    );
    page.counter(
        "received_frames_total",
        "WebSocket frames received.",
        &[("", tally.received_frames.total())],
    );
    page.counter("sent_bytes_total", "Bytes of messages to clients.", &[("", counters.sent_bytes)]);
    let drops: Vec<_> = Dropped::ALL
        .into_iter()
        .map(|why| (format!("reason=\"{}\"", why.label()), tally.drops(why)))
        .chain([
            ("reason=\"commands_pending\"".to_owned(), counters.commands_dropped),
            ("reason=\"events_waiting\"".to_owned(), counters.events_dropped),
        ])
        .collect();
    page.counter("dropped_messages_total", "Messages dropped, by reason.", &drops);

    page.counter(
        "absences_total",
        "Sessions that lost their connection and were held, and how that ended.",
        &[
            ("step=\"held\"", counters.held),
            ("step=\"resumed\"", counters.resumes),
            ("step=\"resumed_anew\"", counters.resumes_anew),
            ("step=\"given_up\"", counters.grace_over),
        ],
    );
    let inputs = counters.inputs;
    page.counter(
        "inputs_total",
        "Inputs by outcome.",
        &[
            ("outcome=\"on_time\"", inputs.on_time),
            ("outcome=\"late\"", inputs.late),
            ("outcome=\"early\"", inputs.early),
            ("outcome=\"double\"", inputs.double),
            ("outcome=\"missing\"", inputs.missing),
            ("outcome=\"impossible\"", inputs.impossible),
        ],
    );
    let rewinds = counters.rewinds;
    page.counter(
        "rewinds_total",
        "Shots by the moment that they were judged by.",
        &[
            ("moment=\"shown\"", rewinds.within),
            ("moment=\"capped\"", rewinds.capped),
            ("moment=\"future\"", rewinds.future),
            ("moment=\"unsaid\"", rewinds.unaimed),
        ],
    );
    page.counter(
        "rewind_targets_total",
        "Entities in the way of shots that were judged by the oldest moment, or not hit because they were not shown.",
        &[("why=\"capped\"", rewinds.targets_capped), ("why=\"unseen\"", rewinds.targets_unseen)],
    );
    page.counter("commands_total", "Commands handed to games.", &[("", counters.commands)]);
    page.counter("snapshots_total", "Frames packed.", &[("", counters.frames)]);
    page.counter("heartbeats_total", "Frames without anything due.", &[("", counters.heartbeats)]);
    page.counter(
        "paused_client_ticks_total",
        "Client-ticks without packing.",
        &[("", counters.paused_client_ticks)],
    );
    page.counter("resyncs_total", "Frames that brought a paused client back.", &[("", counters.resyncs)]);
    page.counter("state_mismatches_total", "Checksums that differed.", &[("", counters.state_mismatches)]);
    page.counter(
        "false_acks_total",
        "Acknowledgements of what was never sent.",
        &[("", counters.false_acks)],
    );
    page.counter(
        "degradations_total",
        "What was done for clients that can take less than there is, and undone.",
        &[
            ("step=\"rate_cut\"", counters.rate_cuts),
            ("step=\"demotion\"", counters.demotions),
            ("step=\"promotion\"", counters.promotions),
            ("step=\"park\"", counters.parks),
            ("step=\"unpark\"", counters.unparks),
            ("step=\"reach_shrink\"", counters.reach_shrinks),
            ("step=\"reach_grow\"", counters.reach_grows),
            ("step=\"budget_wait\"", counters.budget_client_ticks),
        ],
    );
    page.counter("enters_total", "Entities that entered clients' views.", &[("", counters.enters)]);
    page.counter("updates_total", "Entity updates spliced into frames.", &[("", counters.updates_spliced)]);
    page.counter("updates_bits_total", "Bits of these.", &[("", counters.updates_spliced_bits)]);
    let bits = counters.frame_bits;
    page.counter(
        "frame_bits_total",
        "Bits of frames by what they tell.",
        &[
            ("part=\"header\"", bits.header),
            ("part=\"private\"", bits.private),
            ("part=\"events\"", bits.events),
            ("part=\"edits\"", bits.edits),
            ("part=\"updates\"", bits.updates),
            ("part=\"resyncs\"", bits.resyncs),
            ("part=\"checksums\"", bits.checksums),
        ],
    );
    page.kind_bits(&counters.kind_bits, hub.rooms.schema());
    page.counter("game_panics_total", "Panics of games.", &[("", counters.panics)]);
    page.0
}

struct Page(String);

impl Page {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.0.write_fmt(format_args!("{line}\n"));
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        self.line(format_args!("# HELP tickwire_{name} {help}"));
        self.line(format_args!("# TYPE tickwire_{name} {kind}"));
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, help, "gauge");
        self.line(format_args!("tickwire_{name} {value}"));
    }

    /// The busiest rooms, in three ways. Names of rooms have no character that would need escaping.
    fn top_rooms(&mut self, rooms: &[Glimpse], most: usize) {
        let lists: [(&str, &str, Measure); 3] = [
            ("top_room_clients", "Clients of the rooms with the most.", |room| room.status.clients as f64),
            (
                "top_room_tick_seconds",
                "What a tick takes of late in the rooms where it takes longest.",
                |room| room.recent.tick_micros / 1e6,
            ),
            ("top_room_sent_bytes_per_second", "What the rooms send of late that send most.", |room| {
                room.recent.tick_bytes * f64::from(room.board.tick_hz())
            }),
        ];
        for (name, help, measure) in lists {
            let awake = rooms.iter().filter(|room| !room.asleep);
            let mut top: Vec<_> = awake.map(|room| (measure(room), room.board.name())).collect();
            top.sort_unstable_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
            self.head(name, help, "gauge");
            for (value, room) in top.into_iter().take(most) {
                self.line(format_args!("tickwire_{name}{{room=\"{room}\"}} {value}"));
            }
        }
    }

    fn counter(&mut self, name: &str, help: &str, values: &[(impl Display, u64)]) {
        self.head(name, help, "counter");
        for (label, value) in values {
            match label.to_string().as_str() {
                "" => self.line(format_args!("tickwire_{name} {value}")),
                label => self.line(format_args!("tickwire_{name}{{{label}}} {value}")),
            }
        }
    }

    /// What rooms give up because they have more to do than time.
    fn overload(&mut self, rooms: &[Glimpse], timing: &Timing) {
        let steps = || Step::ALL.into_iter().skip(1);
        self.head("overloaded_rooms", "Rooms by what they give up for lack of time.", "gauge");
        for step in steps() {
            let count = rooms.iter().filter(|room| room.step == step).count();
            self.line(format_args!("tickwire_overloaded_rooms{{step=\"{}\"}} {count}", step.name()));
        }
        let label = |step: Step, way| format!("step=\"{}\",way=\"{way}\"", step.name());
        let ways = |step| {
            [
                (label(step, "up"), timing.steps_up[step as usize]),
                (label(step, "down"), timing.steps_down[step as usize]),
            ]
        };
        let counts: Vec<_> = steps().flat_map(ways).collect();
        self.counter("overload_steps_total", "Steps that rooms took for lack of time, and back.", &counts);
    }

    /// By kind of entity and group of fields.
    fn kind_bits(&mut self, bits: &KindBits, schema: &Schema) {
        let name = "snapshot_bits_total";
        self.head(
            name,
            "Bits of entity updates by kind and group of fields, weighed from some of them.",
            "counter",
        );
        for (kind, groups) in schema.kinds.iter().zip(bits.kinds()) {
            for (group, bits) in FIELD_GROUPS.iter().zip(groups) {
                let kind = &kind.name;
                self.line(format_args!("tickwire_{name}{{kind=\"{kind}\",group=\"{group}\"}} {bits}"));
            }
        }
    }

    fn histogram(&mut self, name: &str, help: &str, series: &[(String, &Histogram)]) {
        self.head(name, help, "histogram");
        for (label, times) in series {
            let (before, alone) = match label.as_str() {
                "" => (String::new(), String::new()),
                label => (format!("{label},"), format!("{{{label}}}")),
            };
            let mut count = 0;
            for (bound, bucket) in TICK_BUCKETS_MICROS.iter().zip(times.buckets) {
                count += bucket;
                let bound = *bound as f64 / 1e6;
                self.line(format_args!("tickwire_{name}_bucket{{{before}le=\"{bound}\"}} {count}"));
            }
            count += times.buckets[TICK_BUCKETS_MICROS.len()];
            let sum = times.sum_micros as f64 / 1e6;
            self.line(format_args!("tickwire_{name}_bucket{{{before}le=\"+Inf\"}} {count}"));
            self.line(format_args!("tickwire_{name}_sum{alone} {sum}"));
            self.line(format_args!("tickwire_{name}_count{alone} {count}"));
        }
    }
}
