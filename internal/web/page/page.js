"use strict";
// Shows /status anew every second. Whatever it shows is set as text, never as HTML:
// names of topics and words of servers come from outside.

const byId = (id) => document.getElementById(id);
const shownPartitions = 30;
const shownErrors = 8;
let all = false;     // every partition is shown
let still = false;   // the reader wants the page to stand still
let said = "";       // what the summary said last
let saidAt = 0;
let heard = 0;       // when the worker last answered

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const count = (n) => whole.format(Math.round(n));
const rate = (n) => (n >= 100 ? count(n) : short.format(n));

// A number and its unit stay on one line.
function duration(seconds) {
  if (seconds < 1) return seconds <= 0 ? "0\u00a0s" : Math.ceil(seconds * 1000) + "\u00a0ms";
  if (seconds < 120) return short.format(seconds) + "\u00a0s";
  if (seconds < 7200) return Math.round(seconds / 60) + "\u00a0min";
  if (seconds < 172800) return Math.round(seconds / 3600) + "\u00a0h";
  return Math.round(seconds / 86400) + "\u00a0days";
}

const ago = (time) => duration(Math.max(0, Math.round((Date.now() - Date.parse(time)) / 1000)));

function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let at = 0;
  while (n >= 1024 && at < units.length - 1) { n /= 1024; at++; }
  return count(n) + "\u00a0" + units[at];
}

// place is a partition as a header cell, which may break where its name has a stop.
function place(p) {
  const cell = element("th");
  cell.scope = "row";
  for (const part of (p.topic + "/" + p.partition).split(/(?<=[._-])/)) cell.append(part, document.createElement("wbr"));
  return cell;
}

const lateness = (seconds) => (seconds >= 300 ? "bad" : seconds >= 60 ? "warn" : "");

// fill replaces the children of a list only where they differ, so that what a reader
// has selected or is being read aloud is not pulled away each second.
function fill(parent, children) {
  const next = element(parent.nodeName);
  next.append(...children);
  if (next.innerHTML !== parent.innerHTML) parent.replaceChildren(...children);
}


// percent is -1 where nobody knows: a total may be an estimate that was too low.
const percent = (p) => (p.total > 0 && p.done <= p.total ? Math.floor(100 * p.done / p.total) : -1);

const items = (id, texts, empty) => fill(byId(id), (texts.length ? texts : [empty]).map((text) => element("li", text)));

function showNow(s) {
  const stalled = Object.entries(s.stalled || {}).map(([entity, reason]) => entity + ": " + reason);
  const redis = !s.dedup_enabled ? ["off", ""] : s.redis_up ? ["up", "good"] : ["down", "warn"];
  const search = stalled.length ? [stalled.join(", "), "bad"] : s.opensearch_ready ? ["ready", "good"] : ["not ready", "bad"];
  const dead = (s.outcomes || {}).dead || 0;
  const tiles = [
    ["Lag", count(s.lag.messages), lateness(s.lag.seconds)],
    ["Oldest unprocessed", duration(s.lag.seconds), lateness(s.lag.seconds)],
    ["Consumed", rate(s.rates.per_second.consumed || 0) + " /s", ""],
    ["In flight", count(s.in_flight_events) + ", " + bytes(s.in_flight_bytes), ""],
    ["Bulk, median", s.bulk.requests ? duration(s.bulk.p50_seconds) : "none yet", ""],
    ["Bulk, p95", s.bulk.requests ? duration(s.bulk.p95_seconds) : "none yet", ""],
    ["OpenSearch", ...search],
    ["Redis", ...redis],
    ["Partitions", s.partitions.length + (s.joined ? "" : ", not in the group"), s.joined ? "" : "bad"],
    ["Dead letters", count(dead), dead ? "warn" : ""],
  ];
  fill(byId("now"), tiles.map(([name, value, className]) => {
    const tile = element("div", undefined, value === "0" || value === "off" ? "none" : "");
    tile.append(element("dt", name), element("dd", value, className));
    return tile;
  }));
}

function sparkline(points) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 90 24");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true"); // the number beside it says the same
  const most = Math.max(1e-9, ...points);
  const from = 90.5 - points.length;
  const path = points.map((y, i) => (from + i) + "," + (23.5 - 22 * y / most).toFixed(2)).join(" ");
  for (const [name, value] of [["polygon", from + ",24 " + path + " 89.5,24"], ["polyline", path]]) {
    const shape = document.createElementNS(space, name);
    if (points.length) shape.setAttribute("points", value);
    svg.append(shape);
  }
  return svg;
}

function showRates(s) {
  const names = ["consumed", "indexed", "deleted", "stale", "duplicate", "dead", "abandoned"];
  byId("rates").replaceChildren(...names.map((name) => {
    const points = s.rates.points[name] || [];
    const card = element("div", undefined, name + (points.some((y) => y > 0) ? "" : " none"));
    card.append(
      element("div", name, "name"),
      element("div", rate(s.rates.per_second[name] || 0) + " /s", "value"),
      sparkline(points),
      element("div", "peak " + rate(Math.max(0, ...points)) + " /s", "name"));
    return card;
  }));
}

function showPartitions(s) {
  const list = s.partitions.slice().sort((a, b) =>
    !!b.paused - !!a.paused || b.lag_seconds - a.lag_seconds || b.lag - a.lag || a.topic.localeCompare(b.topic) || a.partition - b.partition);
  const shown = all ? list : list.slice(0, shownPartitions);
  const rows = shown.map((p) => {
    const row = element("tr");
    const state = p.paused ? "paused: " + p.paused : p.lag === 0 ? "done" : "reading";
    row.append(place(p),
      element("td", count(p.lag), "number"),
      element("td", p.lag === 0 ? "–" : duration(p.lag_seconds), "number " + lateness(p.lag_seconds)),
      element("td", count(p.in_flight_events), "number wide"),
      element("td", state, p.paused ? "bad" : ""));
    return row;
  });
  if (!rows.length) {
    const row = element("tr");
    const cell = element("td", s.joined ? "none: the group has more workers than partitions" : "none: not a member of the group yet");
    cell.colSpan = 5;
    row.append(cell);
    rows.push(row);
  }
  fill(byId("partitions"), rows);
  byId("more").hidden = list.length <= shownPartitions;
  byId("more").textContent = all ? "Show the " + shownPartitions + " worst" : "Show all " + list.length;
}

// progressOf tells how far the holder of the lock is, with a bar: one without a value
// where nobody knows how much there is to do.
function progressOf(p) {
  const bar = element("progress");
  const done = percent(p);
  bar.setAttribute("aria-label", p.phase);
  if (done >= 0) {
    bar.max = 100;
    bar.value = done;
  }
  const words = p.phase + (done >= 0 ? ", " + done + " %" : "") + ": " + count(p.done) + (done >= 0 ? " of " + count(p.total) : "") + " " + p.unit +
    ", " + rate(p.per_second) + " /s" + (p.seconds_left >= 0 ? ", " + duration(Math.ceil(p.seconds_left)) + " left" : "");
  return [bar, element("span", words)];
}

function showUpkeep(s) {
  const lock = s.upkeep.lock;
  const list = [];
  if (lock) {
    const item = element("li");
    item.append(element("strong", lock.command + (lock.alive ? " is under way" : " has fallen silent, perhaps it died")));
    if (lock.progress && lock.alive) item.append(...progressOf(lock.progress));
    item.append(element("div", "for " + ago(lock.since) + ", by " + lock.owner, "quiet"));
    list.push(item);
  }
  // While a rebuild is under way, that its indices are unfinished is as it should be.
  if (!lock || !lock.alive || lock.command !== "rebuild") list.push(...s.upkeep.rebuilds.map((text) => element("li", text)));
  fill(byId("upkeep"), list);
  byId("upkeep-section").hidden = list.length === 0;
}

function showLetters(s) {
  const rows = s.last_dead_letters.map((l) => {
    const row = element("tr");
    const reason = element("th", l.reason);
    reason.scope = "row";
    row.append(reason, element("td", l.topic + "/" + l.partition), element("td", String(l.offset), "number"), element("td", ago(l.at), "number"));
    return row;
  });
  if (!rows.length) {
    const row = element("tr");
    const cell = element("td", "none since it started");
    cell.colSpan = 4;
    row.append(cell);
    rows.push(row);
  }
  fill(byId("letters"), rows);
}

// showErrors says once what was logged several times in turn.
function showErrors(s) {
  const said = [];
  for (const e of s.last_errors) {
    const text = e.level + ": " + e.text, before = said.at(-1);
    if (before && before.text === text) before.times++;
    else said.push({ at: e.at, text, times: 1 });
  }
  const list = said.slice(0, shownErrors).map((e) => {
    const item = element("li");
    item.append(element("time", new Date(e.at).toLocaleTimeString("en-GB")), e.text + (e.times > 1 ? " (" + e.times + " times)" : ""));
    return item;
  });
  fill(byId("errors"), list.length ? list : [element("li", "none since it started")]);
}

// state puts one word on all of it, for the badge and those who don't see it.
function state(s) {
  if (!s.ready) return ["not ready", "bad"];
  if (s.partitions.some((p) => p.paused)) return ["partition paused", "bad"];
  if (s.lag.seconds >= 60) return ["lagging", "warn"];
  if (s.notes && s.notes.length) return ["ready, with notes", "warn"];
  return ["ready", "good"];
}

// verdict is the first thing to read: whether the worker keeps up, in a sentence.
function verdict(s) {
  const paused = s.partitions.filter((p) => p.paused).length;
  const waits = count(s.lag.messages) + (s.lag.messages === 1 ? " event waits" : " events wait") + ", the oldest for " + duration(s.lag.seconds);
  if (s.lag.messages > 0 && s.lag.seconds >= 60) return "Behind: " + waits + ".";
  if (!s.ready) return "Not all is well, and nothing is lost: " + (s.lag.messages ? waits + "." : "no event waits.");
  if (paused) return paused + (paused === 1 ? " partition is" : " partitions are") + " paused; " + (s.lag.messages ? waits + "." : "no event waits.");
  const now = s.rates.per_second.consumed || 0;
  return now > 0 ? "Keeps up with " + rate(now) + " events a second." : s.lag.messages ? "Keeps up: " + waits + "." : "Keeps up: no event waits.";
}

// announce says at once what has changed in kind, and else nothing: a reader's voice
// must not run on with numbers.
function announce(text) {
  if (text === said || Date.now() - saidAt < 5000) return;
  said = text;
  saidAt = Date.now();
  byId("summary").textContent = text;
}

function badge(text, className) {
  byId("state").textContent = text;
  byId("state").className = "badge " + className;
  document.title = text + " – search-indexer";
}

function show(s) {
  heard = Date.now();
  const [word, className] = state(s);
  badge(word, className);
  byId("about").textContent = "group " + s.group + ", version " + s.version + ", up for " + duration(Math.floor(s.uptime_seconds));
  byId("verdict").textContent = verdict(s);
  const problems = s.problems || [], notes = s.notes || [];
  byId("troubles").hidden = problems.length + notes.length === 0;
  byId("troubles").className = problems.length ? "" : "notes";
  byId("troubles-title").textContent = problems.length ? "What is wrong" : "What to know";
  items("problems", problems.concat(notes), "");
  showNow(s);
  showRates(s);
  showPartitions(s);
  showUpkeep(s);
  showLetters(s);
  showErrors(s);
  announce("The worker is " + word + (problems.length ? ": " + problems[0] : "") + ".");
}

async function turn() {
  if (!still && !document.hidden) {
    try {
      const answer = await fetch("status", { cache: "no-store", signal: AbortSignal.timeout(8000) });
      if (!answer.ok) throw new Error("status " + answer.status);
      show(await answer.json());
    } catch {
      badge("no answer", "bad");
      byId("verdict").textContent = "The worker does not answer.";
      byId("about").textContent = "the worker does not answer" + (heard ? " for " + duration((Date.now() - heard) / 1000) : "") + "; what stands below is old";
      announce("The worker does not answer.");
    }
  }
  setTimeout(turn, 1000);
}

byId("hold").addEventListener("click", () => {
  still = !still;
  byId("hold").setAttribute("aria-pressed", String(still));
  byId("hold").textContent = still ? "Go on" : "Hold still";
});
byId("more").addEventListener("click", () => { all = !all; });
turn();
