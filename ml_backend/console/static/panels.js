// What each table and tile shows of state.json: its columns, and how a cell says it. No DOM here.

const WHOLE = new Intl.NumberFormat("en");
const STATES = { failed: "bad", refused: "warn", running: "busy", waiting: "", scheduled: "", finished: "good" };
const SEVERITIES = { high: "bad", medium: "warn", low: "" };

const whole = (n) => (n === null || n === undefined ? null : WHOLE.format(n));
const share = (n) => (n === null || n === undefined ? null : `${(100 * n).toFixed(1)} %`);
const three = (n) => (n === null || n === undefined ? null : n.toFixed(3));
const data = (state, panel) => state.panels[panel]?.data ?? null;
const total = (rows, of) => (rows?.length ? rows.reduce((n, row) => n + of(row), 0) : null); // of nothing: unknown
const jobs = (state, ...which) => total(data(state, "queues")?.rows, (it) => which.reduce((n, name) => n + it[name], 0));

function span(seconds) {
  if (seconds === null || seconds === undefined) return null;
  if (seconds < 60) return `${seconds} s`;
  return seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

// Project key or id -> how it is named and linked.
export function names(state) {
  const known = new Map();
  for (const it of data(state, "projects")?.rows ?? []) {
    for (const one of [it, ...it.reviews]) {
      const cell = { href: one.url, text: one.title || `Project ${one.id}`, outside: true };
      known.set(one.key, cell).set(String(one.id), cell);
    }
  }
  return { get: (ref) => (ref ? known.get(String(ref)) ?? { text: `Project ${String(ref).split(".")[0]}` } : null) };
}

const live = (row, state) => data(state, "versions")?.rows.find((it) => it.key === row.key && it.live);

function measure(row, metric, say) {
  const controls = Object.entries(row?.controls ?? {});
  if (controls.length < 2) return controls.length ? say(controls[0][1][metric]) : null;
  return controls.map(([name, it]) => ({ text: `${name} ${say(it[metric]) ?? "–"}`, kind: "part" }));
}

function open(row, state) {
  const it = data(state, "findings")?.projects[row.key];
  if (!it) return null;
  const told = Object.entries(it.open).filter(([, n]) => n);
  return told.length ? told.map(([name, n]) => ({ badge: `${n} ${name}`, kind: SEVERITIES[name] })) : "none";
}

export const TILES = [
  ["Jobs waiting", "#jobs", (s) => whole(jobs(s, "waiting", "scheduled"))],
  ["Jobs running", "#jobs", (s) => whole(jobs(s, "running"))],
  ["Failed in 24 h", "#jobs", (s) => whole(jobs(s, "failed"))],
  ["Workers busy", "#workers", (s) => data(s, "workers") && `${data(s, "workers").busy} of ${data(s, "workers").total}`],
  ["New labels", "#projects", (s) => whole(total(data(s, "projects")?.rows, (it) => it.new_labels))],
  ["Severe findings", "#findings", (s) => whole(total(Object.values(data(s, "findings")?.projects ?? {}), (it) => it.open.high))],
  ["Hard cases", "#hard-cases", (s) => whole(total(data(s, "hard_cases")?.rows, (it) => it.total))],
  ["Alerts waiting", "#alerts", (s) => whole(data(s, "alerts")?.total)],
];

export const TABLES = [
  {
    section: "projects", panel: "projects", caption: "Projects that people label for a model to learn from",
    id: (it) => it.key, rows: (d) => d.rows, trouble: (d) => d.studio,
    empty: () => "No project is connected yet: `tiebreak sync PATH --apply` connects one.",
    note: (d) => (d.more ? `${whole(d.more)} older projects are not shown.` : ""),
    columns: [
      ["Project", (it, known) => known.get(it.key)],
      ["Tasks", (it) => whole(it.tasks)],
      ["Labels", (it) => whole(it.labels)],
      ["Not yet learned", (it) => (it.training ? [whole(it.new_labels), { badge: "training", kind: "busy" }] : whole(it.new_labels))],
      ["Live version", (it, _, s) => live(it, s)?.version],
      ["Accuracy", (it, _, s) => measure(live(it, s), "accuracy", share)],
      ["Open findings", (it, _, s) => open(it, s)],
      ["Review queue", (it, known) => it.reviews.map((other) => [known.get(other.key), { text: `${whole(other.tasks)} tasks`, kind: "part" }])],
    ],
  },
  {
    section: "jobs", panel: "runs", caption: "Trainings and other jobs: running, waiting, and ended within a day",
    id: (it) => it.id, rows: (d) => d.rows, empty: () => "No job runs, waits or ended within a day.",
    note: (d) => (d.more ? `${whole(d.more)} more are not shown.` : ""),
    columns: [
      ["Job", (it) => ({ text: it.what, kind: "word" })],
      ["State", (it) => ({ badge: it.state, kind: STATES[it.state] })],
      ["Project", (it, known) => known.get(it.project)],
      ["When", (it) => it.at && { time: it.at }],
      ["Took", (it) => span(it.seconds)],
      ["What came of it", (it) => ({ text: it.came_to, kind: "long" })],
    ],
  },
  {
    section: "workers", panel: "queues", caption: "Jobs in the queues", id: (it) => it.queue, rows: (d) => d.rows,
    empty: () => "There are no queues.",
    columns: [
      ["Queue", (it) => it.queue],
      ...["waiting", "running", "scheduled", "deferred", "failed", "finished"].map((state) => [
        state[0].toUpperCase() + state.slice(1), (it) => whole(it[state]),
      ]),
    ],
  },
  {
    section: "workers", panel: "workers", caption: "Workers on all machines", id: (it) => it.name, rows: (d) => d.rows,
    empty: () => "No worker runs: jobs wait until `tiebreak worker` is started.",
    note: (d) => (d.total > d.rows.length ? `${whole(d.total - d.rows.length)} more are not shown.` : ""),
    columns: [
      ["Worker", (it) => ({ text: it.name.slice(0, 12), kind: "code" })],
      ["State", (it) => ({ badge: it.state, kind: it.state === "busy" ? "busy" : "" })],
      ["Does", (it, known) => it.job && [it.job.what, known.get(it.job.project) ?? ""]],
      ["Heard of", (it) => it.heartbeat && { time: it.heartbeat }],
      ["Since", (it) => it.since && { time: it.since }],
      ["Done", (it) => whole(it.done)],
      ["Failed", (it) => whole(it.failed)],
      ["Machine", (it) => `${it.host} (${it.pid})`],
    ],
  },
  {
    section: "versions", panel: "versions", caption: "Model versions: the live one and the newest others of each project",
    id: (it) => `${it.key} ${it.version}`, rows: (d) => d.rows,
    empty: () => "No version is trained yet: the first comes with the first labels.",
    columns: [
      ["Version", (it) => it.version],
      ["Project", (it, known) => known.get(it.key)],
      ["State", (it) => (it.live ? { badge: "live", kind: "good" } : { badge: it.accepted ? "not live" : "not accepted" })],
      ["Trained", (it) => it.created_at && { time: it.created_at }],
      ["Labels", (it) => whole(it.labels)],
      ["Accuracy", (it) => measure(it, "accuracy", share)],
      ["Calibration error", (it) => measure(it, "ece", three)],
      ["Accepted at 95 %", (it) => measure(it, "coverage_95", share)],
      ["Why", (it) => ({ text: it.reason, kind: "long" })],
    ],
  },
  {
    section: "findings", panel: "findings", caption: "Findings of the newest inspections, the severe ones first",
    id: (it) => `${it.key} ${it.id}`, rows: (d) => d.rows,
    empty: (d) => (Object.keys(d.projects).length ? "The newest inspections found nothing." : "No project is inspected yet: with automatic: true in its rules.yaml workers do it."),
    note: (d) => (d.more ? `${whole(d.more)} more are not shown.` : ""),
    columns: [
      ["Finding", (it) => ({ text: it.message, kind: "long" })],
      ["Severity", (it) => ({ badge: it.severity, kind: SEVERITIES[it.severity] })],
      ["State", (it) => it.state],
      ["Whose", (it) => ({ text: it.subject, kind: "long" })],
      ["Project", (it, known) => known.get(it.key)],
      ["Rule", (it) => ({ text: it.rule.replaceAll("_", " "), kind: "word" })],
      ["Since", (it) => it.since && { time: it.since }],
      ["Tasks", (it) => it.links.map(({ task, url }) => ({ href: url, text: String(task), outside: true, label: `Task ${task}` }))],
    ],
  },
  {
    section: "hard-cases", panel: "hard_cases", caption: "Hard cases by cause, as the newest reports count them",
    id: (it) => it.key, rows: (d) => d.rows, empty: () => "No report is kept yet: reports count the hard cases.",
    columns: [
      ["Project", (it, known) => known.get(it.key)],
      ["Hard cases", (it) => whole(it.total)],
      ["By cause", (it) => it.causes.map(({ cause, count }) => ({ badge: `${cause} ${whole(count)}` }))],
      ["Tasks", (it) => ({ href: it.url, text: "Data Manager", outside: true })],
      ["Counted", (it) => it.made_at && { time: it.made_at }],
    ],
  },
  {
    section: "reports", panel: "reports", caption: "The latest reports", id: (it) => `${it.key} ${it.id}`,
    rows: (d) => d.rows, empty: () => "No report is kept yet: `tiebreak report PROJECT` makes one.",
    columns: [
      ["Report", (it) => ({ href: `reports/${it.key}/${it.id}/report.html`, text: it.title || `Project ${it.key.split(".")[0]}`, outside: true })],
      ["Made", (it) => it.made_at && { time: it.made_at }],
      ["Asked for by", (it) => it.why],
      ["Download", (it) => ["xlsx", "json"].map((kind) => ({ href: `reports/${it.key}/${it.id}/report.${kind}`, text: kind.toUpperCase(), label: `${kind.toUpperCase()} of the report of ${it.title}` }))],
    ],
  },
  {
    section: "alerts", panel: "alerts", caption: "Alerts that wait to be sent", id: (it) => it.project, rows: (d) => d.rows,
    empty: (d) => (d.on ? "No alert waits." : "Nobody is told of findings: TIEBREAK_ALERT_URL is not set."),
    note: (d) => (d.total > d.rows.length ? `${whole(d.total - d.rows.length)} more are not shown.` : ""),
    columns: [
      ["Project", (it, known) => known.get(it.project)],
      ["Due", (it) => it.due && { time: it.due }],
    ],
  },
  {
    section: "large-model", panel: "large_model", caption: "What the large model cost today and in seven days (UTC)",
    id: (it) => it.key, rows: (d) => d.rows,
    empty: (d) => (d.on ? "The large model was not asked in the last seven days." : "No large model is set (TIEBREAK_LLM_URL)."),
    columns: [
      ["Project", (it, known) => known.get(it.key)],
      ["Answers today", (it) => whole(it.today.labels)],
      ["Tokens today", (it) => whole(it.today.input_tokens + it.today.output_tokens)],
      ["Cost today", (it) => it.today.money.toFixed(2)],
      ["Answers in 7 days", (it) => whole(it.week.labels)],
      ["Tokens in 7 days", (it) => whole(it.week.input_tokens + it.week.output_tokens)],
      ["Cost in 7 days", (it) => it.week.money.toFixed(2)],
    ],
  },
];
