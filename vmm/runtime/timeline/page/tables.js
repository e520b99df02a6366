// Words, tables, a second run, and the start of it all.

function change(a, b) {
  if (a === undefined || b === undefined)
    return make("td", { class: "num" }, "");
  const by = b - a, share = a > 0 ? " (" + (by > 0 ? "+" : "") + (by / a * 100).toFixed(1) + "%)"
                                  : "";
  return make("td", { class: "num " + (by > 0 ? "worse" : "better") },
              (by > 0 ? "+" : "") + duration(by) + share);
}

const firstOf = (run, name) => run.events.find(event => event.event === name)?.t_ns;

function tellAbout() {
  $("about").replaceChildren(...state.runs.map((run, index) =>
    make("div", {}, (letter(index) ? letter(index) + ": " : "") + describe(run))));
  const figures = LABELLED.filter(name => firstOf(state.runs[0], name) !== undefined)
    .sort((a, b) => firstOf(state.runs[0], a) - firstOf(state.runs[0], b))
    .map(name => [kindOf({ event: name })[1], name]);
  $("figures").replaceChildren(...[...figures, ["end", null]].map(([title, name]) => {
    const times = state.runs.map(run => name ? firstOf(run, name) : run.end.t_ns);
    return make("div", { class: "figure" },
      make("b", {}, times.map(t => t === undefined ? "\u2013" : duration(t)).join("  |  ")),
      make("span", {}, title));
  }));
  document.title = "coldstart timeline: " +
    (base(state.runs[0].machine.kernel || state.runs[0].machine.firmware) || "a run");
}

// [name, phase] of all runs, in their order: what only the second has stands where it has it.
function phaseNames() {
  const names = [];
  for (const run of state.runs) {
    let place = 0;
    for (const phase of run.phases) {
      const found = names.findIndex(([name]) => name === phase.name);
      if (found < 0)
        names.splice(place, 0, [phase.name, phase]);
      place = (found < 0 ? place : found) + 1;
    }
  }
  return names;
}

function tellPhases() {
  const [a, b] = state.runs, two = b !== undefined, whole = lengthOf(a), names = phaseNames();
  const row = ([name, any]) => {
    const of = run => run?.phases.find(phase => phase.name === name);
    const size = run => of(run) && of(run).end_ns - of(run).start_ns;
    const part = (size(a) || 0) / whole * 100;
    return make("tr", {},
      make("td", {}, make("span", { class: "dot", style: "background: var(--" + name +
                                                         ", var(--run))" }), name),
      make("td", {}, any.title),
      make("td", { class: "num" }, size(a) === undefined ? "" : duration(size(a))),
      two ? make("td", { class: "num" }, size(b) === undefined ? "" : duration(size(b))) : "",
      two ? change(size(a), size(b))
          : make("td", { style: "width: 30%" },
                 make("span", { class: "share", style: "width: " + part.toFixed(2) +
                                "%; background: var(--" + name + ", var(--run))" }),
                 " " + part.toFixed(1) + "%"));
  };
  const total = make("tr", {}, make("th", {}, "all"), make("th", {}, "to the end of the run"),
    make("td", { class: "num" }, duration(whole)),
    two ? make("td", { class: "num" }, duration(lengthOf(b))) : "",
    two ? change(whole, lengthOf(b)) : make("td"));
  $("phases").replaceChildren(make("table", {},
    make("thead", {}, make("tr", {}, make("th", {}, "phase"), make("th", {}, ""),
      make("th", { class: "num" }, two ? "A" : "took"),
      two ? make("th", { class: "num" }, "B") : "",
      make("th", two ? { class: "num" } : {}, two ? "B against A" : "share"))),
    make("tbody", {}, ...names.map(row), total)));
}

function tellEvents() {
  const wanted = $("search").value.toLowerCase(), rows = [];
  state.runs.forEach((run, index) => {
    let before = 0;
    for (const event of run.events) {
      const step = event.t_ns - before, detail = detailOf(event);
      before = event.t_ns;
      if (state.hidden.has(event.event) ||
          !(event.event + " " + kindOf(event)[1] + " " + detail).toLowerCase().includes(wanted))
        continue;
      rows.push([event.t_ns, make("tr", {},
        state.runs.length > 1 ? make("td", {}, letter(index)) : "",
        make("td", { class: "num" }, (event.t_ns / 1e6).toFixed(3)),
        make("td", { class: "num" }, "+" + duration(step)),
        make("td", {}, make("span", { class: "dot", style: "background: var(--" + laneOf(event) +
                                                           ")" }), kindOf(event)[1]),
        make("td", { class: "text" }, detail))]);
    }
  });
  rows.sort((a, b) => a[0] - b[0]);
  const dropped = state.runs.map(run => run.dropped_events || 0).reduce((a, b) => a + b);
  $("events").replaceChildren(make("table", {},
    make("thead", {}, make("tr", {}, state.runs.length > 1 ? make("th", {}, "run") : "",
      make("th", { class: "num" }, "ms"), make("th", { class: "num" }, "step"),
      make("th", {}, "event"), make("th", {}, ""))),
    make("tbody", {}, ...rows.map(row => row[1]))),
    dropped ? make("p", { class: "hint" }, dropped + " further events were not kept.") : "");
}

function tellChips() {
  const counts = new Map();
  for (const event of state.runs.flatMap(run => run.events))
    counts.set(event.event, (counts.get(event.event) || 0) + 1);
  const order = [...counts.keys()].sort((a, b) =>
    LANES.findIndex(lane => lane[0] === laneOf({ event: a })) -
    LANES.findIndex(lane => lane[0] === laneOf({ event: b })));
  $("chips").replaceChildren(...order.map(name => {
    const chip = make("button", { class: "chip", "aria-pressed": !state.hidden.has(name) },
      make("span", { class: "dot", style: "background: var(--" + laneOf({ event: name }) + ")" }),
      kindOf({ event: name })[1] + (counts.get(name) > 1 ? " " + counts.get(name) : ""));
    chip.onclick = () => {
      state.hidden.has(name) ? state.hidden.delete(name) : state.hidden.add(name);
      tellChips(); tellEvents(); draw();
    };
    return chip;
  }));
}

function tellAll() {
  $("alone").hidden = state.runs.length < 2;
  tellAbout(); tellPhases(); tellChips(); tellEvents(); seeAll();
}

// ---- a second run

/** The timelines of a file: JSON, or a page like this one. */
function read(text) {
  if (!text.trimStart().startsWith("<"))
    return [JSON.parse(text)];
  const page = new DOMParser().parseFromString(text, "text/html");
  return JSON.parse(page.getElementById("data")?.textContent || "[]");
}

async function compare(file) {
  const trouble = $("trouble");
  trouble.hidden = true;
  try {
    const other = accept(read(await file.text())[0]);
    state.runs = [state.runs[0], other];
    tellAll();
  } catch (error) {
    trouble.textContent = file.name + ": " + error.message;
    trouble.hidden = false;
  }
}

function useAxis(log) {
  state.log = log;
  $("log").setAttribute("aria-pressed", log);
  $("linear").setAttribute("aria-pressed", !log);
  draw();
}
$("linear").onclick = () => useAxis(false);
$("log").onclick = () => useAxis(true);
$("whole").onclick = seeAll;
$("alone").onclick = () => { state.runs.length = 1; tellAll(); };
$("search").oninput = tellEvents;
$("file").onchange = event => { if (event.target.files[0]) compare(event.target.files[0]); };
document.ondragover = event => { event.preventDefault(); document.body.classList.add("over"); };
document.ondragleave = () => document.body.classList.remove("over");
document.ondrop = event => {
  event.preventDefault();
  document.body.classList.remove("over");
  if (event.dataTransfer.files[0])
    compare(event.dataTransfer.files[0]);
};
let drawn_width = 0;
new ResizeObserver(() => {
  const width = $("chart").clientWidth;
  if (width !== drawn_width && state.runs.length)
    draw();
  drawn_width = width;
}).observe($("chart"));

state.runs = JSON.parse($("data").textContent).map(accept).slice(0, 2);
tellAll();
