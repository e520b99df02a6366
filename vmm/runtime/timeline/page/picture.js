"use strict";

// What each kind of event is: its lane, and how to say it.
const LANES = [
  ["monitor", "coldstart"], ["chipset", "firmware"], ["devices", "devices"],
  ["console", "console"], ["guest", "guest's marks"], ["turns", "turns"]];
const KINDS = {
  process_start: ["monitor", "the process starts"],
  configured: ["monitor", "flags parsed, files checked"],
  memory_ready: ["monitor", "guest memory mapped"],
  kvm_ready: ["monitor", "KVM machine made"],
  devices_ready: ["monitor", "devices made"],
  loaded: ["monitor", "guest's beginning in memory"],
  vcpus_ready: ["monitor", "vCPUs made"],
  first_run: ["monitor", "first instruction"],
  exited: ["turns", "end"],
  fw_cfg: ["chipset", "fw_cfg item read"],
  pci_scan_begin: ["chipset", "PCI configuration begins"],
  pci_scan_end: ["chipset", "PCI configuration ends"],
  boot_sector: ["chipset", "boot sector"],
  efi_handover: ["chipset", "EFI hand-over"],
  debug_line: ["chipset", "debug port line"],
  first_disk_read: ["devices", "first disk read"],
  driver_ok: ["devices", "driver ready"],
  driver_reset: ["devices", "driver lets go"],
  console_byte: ["console", "first console byte"],
  console_line: ["console", "console line"],
  kernel_entry: ["guest", "kernel entry"],
  init: ["guest", "user space"],
  post_code: ["guest", "POST code"],
  ready: ["guest", "ready"],
};
const LABELLED = ["first_run", "boot_sector", "efi_handover", "kernel_entry", "console_byte",
                  "init", "ready"];
const kindOf = event => KINDS[event.event] || ["turns", event.event.replaceAll("_", " ")];
const laneOf = event => kindOf(event)[0];

function detailOf(event) {
  const parts = [];
  if (event.event === "post_code")
    parts.push("0x" + event.code.toString(16).padStart(2, "0"));
  for (const [name, value] of Object.entries(event)) {
    if (["t_ns", "event", "code"].includes(name) || value === "")
      continue;
    parts.push(name === "text" || name === "item" || name === "device" ? String(value)
                                                                       : name + " " + value);
  }
  return parts.join(", ");
}

function duration(ns) {
  const sign = ns < 0 ? "-" : "", size = Math.abs(ns);
  if (size >= 1e9)
    return sign + (size / 1e9).toFixed(3) + " s";
  if (size >= 1e6)
    return sign + (size / 1e6).toFixed(size >= 1e8 ? 0 : size >= 1e7 ? 1 : 2) + " ms";
  return sign + (size / 1e3).toFixed(size >= 1e5 ? 0 : 1) + " \u00b5s";
}

const $ = id => document.getElementById(id);
function make(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "rect", "line", "circle", "text", "path"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag)
                   : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    node.setAttribute(name, value);
  node.append(...children.map(child => child instanceof Node ? child : String(child)));
  return node;
}

const state = { runs: [], log: false, from: 0, to: 0, hidden: new Set(), marks: [] };

function accept(timeline) {
  if (!timeline || timeline.format !== "coldstart-timeline" || !Array.isArray(timeline.events))
    throw new Error("this is no timeline of coldstart");
  if (timeline.version !== 1)
    throw new Error("this timeline is of version " + timeline.version + "; this page knows 1");
  return timeline;
}
const lengthOf = run => Math.max(run.end.t_ns, ...run.phases.map(phase => phase.end_ns), 1000);
const longest = () => Math.max(...state.runs.map(lengthOf));
const letter = index => state.runs.length > 1 ? "AB"[index] : "";
const base = path => path ? path.split("/").pop() : "";

function describe(run) {
  const m = run.machine, what = [];
  what.push({linux: "Linux, entered directly", pvh: "PVH entry", firmware: "firmware"}[m.boot]
            || m.boot);
  for (const path of [m.firmware, m.kernel, m.initrd, ...(m.disks || [])])
    if (path)
      what.push(base(path));
  what.push(m.cpus + (m.cpus === 1 ? " vCPU" : " vCPUs"),
            Math.round(m.memory_bytes / 1048576) + " MiB", "board " + m.board);
  return (m.id ? m.id + ": " : "") + what.join(" \u00b7 ") + " \u00b7 " + run.end.reason;
}

// ---- the picture

const LEFT = 118, RIGHT = 18, BAR = 34, LANE = 20, LABEL = 17;

function scale(width) {
  const inner = width - LEFT - RIGHT, { from, to } = state;
  if (!state.log)
    return t => LEFT + (t - from) / (to - from) * inner;
  // Nothing of interest is earlier than ten microseconds.
  const low = Math.log10(Math.max(from, 1e4)), high = Math.log10(Math.max(to, 1e5));
  return t => LEFT + Math.max(0, Math.log10(Math.max(t, 1e4)) - low) / (high - low) * inner;
}

function ticks() {
  const { from, to } = state, list = [];
  if (state.log) {
    for (let decade = 1e4; decade <= to * 1.001; decade *= 10)
      for (const step of [1, 2, 5])
        if (decade * step >= Math.max(from, 1e4) && decade * step <= to)
          list.push(decade * step);
    return list;
  }
  const rough = (to - from) / 8, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(n => n * power).find(n => n >= rough);
  for (let t = Math.ceil(from / step) * step; t <= to; t += step)
    list.push(t);
  return list;
}

function within(t) { return t >= state.from && t <= state.to; }

function drawLabels(svg, run, x, top, width) {
  const rows = [], seen = new Set();
  for (const event of run.events) {
    if (!LABELLED.includes(event.event) || seen.has(event.event) || !within(event.t_ns))
      continue;
    seen.add(event.event);
    const name = kindOf(event)[1] + " " + duration(event.t_ns);
    const size = name.length * 6.4 + 10, at = x(event.t_ns);
    const before = at + 4 + size > width, left = before ? at - 4 - size : at + 4;
    let row = rows.findIndex(end => end < left);
    if (row < 0)
      row = rows.push(0) - 1;
    if (row > 3)
      continue;
    rows[row] = left + size;
    const y = top + row * LABEL;
    svg.append(make("line", { x1: at, x2: at, y1: y + 2, y2: top + 4 * LABEL + BAR + 2,
                              stroke: "var(--soft)", "stroke-dasharray": "2 3" }));
    svg.append(make("text", { x: before ? at - 4 : left, y: y + 12,
                              "text-anchor": before ? "end" : "start" }, name));
  }
}

function drawPhases(svg, run, index, x, top) {
  for (const phase of run.phases) {
    if (phase.end_ns < state.from || phase.start_ns > state.to)
      continue;
    const x0 = x(Math.max(phase.start_ns, state.from)), x1 = x(Math.min(phase.end_ns, state.to));
    const bar = make("rect", { x: x0, y: top, width: Math.max(x1 - x0, 1), height: BAR, rx: 3,
                               fill: "var(--" + phase.name + ", var(--run))",
                               stroke: "var(--card)" });
    svg.append(bar);
    state.marks.push({ x0, x1, y0: top, y1: top + BAR, run: index, phase });
    const full = phase.name + "  " + duration(phase.end_ns - phase.start_ns);
    const text = x1 - x0 > full.length * 7 + 8 ? full
               : x1 - x0 > phase.name.length * 7 + 8 ? phase.name : "";
    if (text)
      svg.append(make("text", { x: x0 + 6, y: top + 21, class: "inbar" }, text));
  }
}

function drawLanes(svg, run, index, x, top, width) {
  let y = top;
  for (const [lane, title] of LANES) {
    const events = run.events.filter(e => laneOf(e) === lane && !state.hidden.has(e.event));
    if (!events.length)
      continue;
    svg.append(make("rect", { x: LEFT, y: y + 2, width: width - LEFT - RIGHT, height: LANE - 4,
                              fill: "var(--lane)", rx: 3 }));
    svg.append(make("text", { x: LEFT - 8, y: y + 14, "text-anchor": "end", class: "soft" },
                    title));
    for (const event of events) {
      if (!within(event.t_ns))
        continue;
      const at = x(event.t_ns), dense = ["console_line", "debug_line", "fw_cfg", "post_code"]
        .includes(event.event);
      svg.append(dense
        ? make("line", { x1: at, x2: at, y1: y + 4, y2: y + LANE - 4,
                         stroke: "var(--" + lane + ")", "stroke-width": 1.5 })
        : make("circle", { cx: at, cy: y + LANE / 2, r: 4.5, fill: "var(--" + lane + ")",
                           stroke: "var(--card)" }));
      state.marks.push({ x0: at, x1: at, y0: y, y1: y + LANE, run: index, event });
    }
    y += LANE;
  }
  return y;
}

function draw() {
  const holder = $("chart"), width = Math.max(holder.clientWidth, 480);
  const svg = make("svg", { role: "img", "aria-label": "phases and events over time" });
  const x = scale(width);
  state.marks = [];
  let y = 10;
  state.runs.forEach((run, index) => {
    drawLabels(svg, run, x, y, width);
    y += 4 * LABEL + 2;
    svg.append(make("text", { x: 2, y: y + 21, class: "name" }, letter(index)));
    svg.append(make("text", { x: LEFT - 8, y: y + 21, "text-anchor": "end", class: "soft" },
                    duration(lengthOf(run))));
    drawPhases(svg, run, index, x, y);
    y = drawLanes(svg, run, index, x, y + BAR + 4, width) + 14;
  });
  for (const t of ticks()) {
    svg.prepend(make("line", { x1: x(t), x2: x(t), y1: 8, y2: y, stroke: "var(--line)" }));
    svg.append(make("text", { x: x(t), y: y + 15, "text-anchor": "middle", class: "soft" },
                    t === 0 ? "0" : duration(t).replace(/\.0+ /, " ")
                                      .replace(/(\.\d*?)0+ /, "$1 ")));
  }
  y += 24;
  const brush = make("rect", { x: 0, y: 0, width: 0, height: y, fill: "var(--accent)",
                               opacity: .18 });
  svg.append(brush);
  svg.setAttribute("viewBox", "0 0 " + width + " " + y);
  svg.style.height = y + "px";
  holder.replaceChildren(svg);
  listen(svg, brush, width, x);
  $("whole").hidden = state.from === 0 && state.to === longest();
}

// ---- pointing and zooming

function nearest(px, py) {
  let best = null, least = 14;
  for (const mark of state.marks) {
    if (py < mark.y0 || py > mark.y1)
      continue;
    const far = px < mark.x0 ? mark.x0 - px : px > mark.x1 ? px - mark.x1 : 0;
    if (far < least)
      [best, least] = [mark, far];
  }
  return best;
}

function show(mark, event) {
  const tip = $("tip");
  tip.hidden = !mark;
  if (!mark)
    return;
  const run = letter(mark.run) ? "run " + letter(mark.run) + ": " : "";
  if (mark.phase) {
    const phase = mark.phase;
    tip.replaceChildren(make("b", {}, phase.name + "  " + duration(phase.end_ns - phase.start_ns)),
      make("div", {}, phase.title), make("small", {}, run + "from " + duration(phase.start_ns) +
                                         " to " + duration(phase.end_ns)));
  } else {
    tip.replaceChildren(make("b", {}, duration(mark.event.t_ns) + "  " + kindOf(mark.event)[1]),
      make("div", {}, detailOf(mark.event)), make("small", {}, run + mark.event.event));
  }
  const right = event.clientX + 16 + tip.offsetWidth > innerWidth;
  tip.style.left = Math.max(4, event.clientX + (right ? -16 - tip.offsetWidth : 16)) + "px";
  tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 4) + "px";
}

function listen(svg, brush, width, x) {
  let begin = null;
  const place = event => {
    const box = svg.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width * width,
            (event.clientY - box.top) / box.height * svg.viewBox.baseVal.height];
  };
  const time = px => {
    let low = state.from, high = state.to;
    for (let i = 0; i < 60; ++i)
      x((low + high) / 2) < px ? low = (low + high) / 2 : high = (low + high) / 2;
    return low;
  };
  svg.onpointermove = event => {
    const [px, py] = place(event);
    if (begin === null)
      return show(nearest(px, py), event);
    brush.setAttribute("x", Math.min(px, begin));
    brush.setAttribute("width", Math.abs(px - begin));
  };
  svg.onpointerdown = event => { begin = place(event)[0]; show(null); };
  svg.onpointerleave = () => show(null);
  window.onpointerup = event => {
    if (begin === null)
      return;
    const [low, high] = [begin, place(event)[0]].sort((a, b) => a - b);
    begin = null;
    brush.setAttribute("width", 0);
    if (high - low > 6) {
      [state.from, state.to] = [time(low), time(high)];
      draw();
    }
  };
  svg.ondblclick = seeAll;
}

function seeAll() {
  [state.from, state.to] = [0, longest()];
  draw();
}
