// Asks for state.json every few seconds and shows what changed. Text is set as text, never as HTML.

import { TABLES, TILES, names } from "./panels.js";

const BASE = new URL("./", location.origin + location.pathname); // without a password that may be in the address
const drawn = new WeakMap(); // element -> JSON of what it shows
let etag = null;
let seconds = 3;
let timer = 0;

// ---------------------------------------------------------------------------------------------------- one value

function element(tag, text, kind) {
  const it = document.createElement(tag);
  if (text !== undefined) it.textContent = text;
  if (kind) it.className = kind;
  return it;
}

function nodes(value) {
  if (value === null || value === undefined || value === "" || value.text === "" || value.length === 0) {
    return [element("span", "–", "none")];
  }
  if (Array.isArray(value)) return value.flatMap((it, i) => (i ? [document.createTextNode(" "), ...nodes(it)] : nodes(it)));
  if (typeof value !== "object") return [document.createTextNode(String(value))];
  if ("href" in value) return [link(value)];
  if ("time" in value) return [time(value.time)];
  if ("badge" in value) return [element("span", value.badge, `badge ${value.kind ?? ""}`)];
  return [element("span", value.text, value.kind)];
}

function link({ href, text, outside, label }) {
  let url = null;
  try {
    url = new URL(href, BASE);
  } catch {}
  if (!url || !["http:", "https:"].includes(url.protocol)) return element("span", text);
  const it = element("a", text);
  it.href = url.href;
  if (label) it.setAttribute("aria-label", label);
  if (outside) {
    it.target = "_blank";
    it.rel = "noopener noreferrer";
  }
  return it;
}

function time(iso) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return element("span", "–", "none");
  const it = element("time", ago(at));
  it.dateTime = iso;
  it.title = at.toLocaleString();
  return it;
}

function ago(at) {
  const s = Math.round((Date.now() - at.getTime()) / 1000);
  const far = Math.abs(s);
  if (far < 5) return "now";
  const unit = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(([size]) => far >= size);
  const words = `${Math.floor(far / unit[0])} ${unit[1]}`;
  return s < 0 ? `in ${words}` : `${words} ago`;
}

// ------------------------------------------------------------------------------------------------- what is drawn

function show(place, value) {
  const said = JSON.stringify(value ?? null);
  if (drawn.get(place) === said) return;
  drawn.set(place, said);
  place.replaceChildren(...nodes(value));
}

function problem(box, shown, extra) {
  const told = [shown.problem, extra].filter(Boolean);
  const lines = told.map(({ what, mend }) => `${what} ${mend}`);
  if (shown.problem && shown.as_of) lines.push(`Shown as of ${new Date(shown.as_of * 1000).toLocaleTimeString()}.`);
  const text = lines.join(" ");
  box.hidden = !text;
  if (box.textContent !== text) box.textContent = text;
}

function frame(table) {
  const known = document.getElementById(`t-${table.panel}`);
  if (known) return known;
  const box = element("div", undefined, "panel");
  box.id = `t-${table.panel}`;
  const trouble = element("p", undefined, "problem");
  trouble.hidden = true;
  const scroll = element("div", undefined, "scroll");
  const grid = element("table");
  grid.setAttribute("role", "table"); // narrow screens lay it out as blocks, which would take the roles away
  grid.append(element("caption", table.caption));
  const head = element("tr");
  head.setAttribute("role", "row");
  for (const [title] of table.columns) {
    const cell = element("th", title);
    cell.scope = "col";
    cell.setAttribute("role", "columnheader");
    head.append(cell);
  }
  const top = element("thead");
  top.setAttribute("role", "rowgroup");
  top.append(head);
  const body = element("tbody");
  body.setAttribute("role", "rowgroup");
  grid.append(top, body);
  scroll.append(grid);
  box.append(trouble, scroll, element("p", undefined, "note"));
  document.getElementById(table.section).append(box);
  return box;
}

function draw(table, state, known) {
  const shown = state.panels[table.panel] ?? { data: null };
  const box = frame(table);
  const data = shown.data;
  problem(box.querySelector(".problem"), shown, data && table.trouble?.(data));
  const rows = data ? table.rows(data, state) : [];
  box.querySelector(".scroll").hidden = !rows.length;
  const note = data ? (rows.length ? table.note?.(data) ?? "" : table.empty(data)) : shown.problem ? "" : "Not read yet.";
  const place = box.querySelector(".note");
  if (place.textContent !== note) place.textContent = note;
  const body = box.querySelector("tbody");
  const old = new Map([...body.rows].map((row) => [row.dataset.id, row]));
  let next = body.firstElementChild;
  rows.forEach((row, i) => {
    const id = table.id ? table.id(row) : String(i);
    const line = old.get(id) ?? blank(table);
    old.delete(id);
    line.dataset.id = id;
    table.columns.forEach(([, cell], j) => show(line.cells[j].lastElementChild, cell(row, known, state)));
    if (line === next) next = next.nextElementSibling;
    else body.insertBefore(line, next);
  });
  for (const gone of old.values()) gone.remove();
}

function blank(table) {
  const line = element("tr");
  line.setAttribute("role", "row");
  table.columns.forEach(([title], j) => {
    const cell = element(j ? "td" : "th");
    if (!j) cell.scope = "row";
    cell.setAttribute("role", j ? "cell" : "rowheader");
    const name = element("span", title, "name"); // seen on narrow screens only; the header names it to readers
    name.setAttribute("aria-hidden", "true");
    cell.append(name, element("span", undefined, "value"));
    line.append(cell);
  });
  return line;
}

function tiles(state) {
  const list = document.getElementById("tiles");
  TILES.forEach(([title, href, value], i) => {
    let tile = list.children[i];
    if (!tile) {
      tile = element("div");
      const term = element("dt");
      term.append(link({ href: location.pathname + href, text: title }));
      tile.append(term, element("dd"));
      list.append(tile);
    }
    show(tile.lastElementChild, value(state));
  });
}

function render(state) {
  seconds = state.poll_seconds;
  document.getElementById("about").textContent = `Tiebreak ${state.version}.`;
  const known = names(state);
  tiles(state);
  for (const table of TABLES) draw(table, state, known);
}

// ------------------------------------------------------------------------------------------------------ the clock

function say(text, bad) {
  const place = document.getElementById("status");
  if (place.textContent !== text) place.textContent = text;
  place.classList.toggle("bad", Boolean(bad));
}

async function ask() {
  const answer = await fetch(new URL("state.json", BASE), {
    headers: etag ? { "If-None-Match": etag } : {},
    cache: "no-store",
    signal: AbortSignal.timeout(15_000),
  });
  if (answer.status === 401 || answer.status === 403) return say("You are no longer signed in. Reload the page.", true);
  if (answer.status !== 304) {
    if (!answer.ok) throw new Error(String(answer.status));
    const state = await answer.json();
    etag = answer.headers.get("ETag");
    render(state);
  }
  say("Live: the numbers follow what happens.");
}

async function poll() {
  clearTimeout(timer);
  try {
    await ask();
  } catch {
    say("The backend does not answer. It is asked again every few seconds.", true);
  }
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(poll, seconds * 1000);
}

document.addEventListener("visibilitychange", () => !document.hidden && poll());
setInterval(() => {
  for (const it of document.querySelectorAll("time")) {
    const text = ago(new Date(it.dateTime));
    if (it.textContent !== text) it.textContent = text;
  }
}, 1000);
poll();
