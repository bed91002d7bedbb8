"use strict";
performance.mark("report-start");

const root = document.documentElement;
const byId = (id) => document.getElementById(id);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

/* Colours: what the style sheet makes of a name, in the theme of now. */
const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);
function colour(name) {
  probe.className = "";
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

function setTheme(choice) {
  if (choice === "auto") delete root.dataset.theme;
  else root.dataset.theme = choice;
  for (const button of all("[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice));
  }
  plot?.redraw();
}

/* Tables: a click on a heading sorts by it, another one turns it round. Texts without a number come last. */
function sortable(table) {
  const heads = all("thead th", table);
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => sortBy(table, heads, column));
  });
}

function sortBy(table, heads, column) {
  const up = heads[column].getAttribute("aria-sort") !== "ascending";
  heads.forEach((head) => head.removeAttribute("aria-sort"));
  heads[column].setAttribute("aria-sort", up ? "ascending" : "descending");
  const body = table.tBodies[0];
  const cell = (row) => row.cells[column];
  const compared = (one, other) => {
    const [a, b] = [cell(one).dataset.sort, cell(other).dataset.sort];
    if (a !== undefined && b !== undefined) return (up ? 1 : -1) * (Number(a) - Number(b));
    if (a !== undefined || b !== undefined) return a === undefined ? 1 : -1;
    return (up ? 1 : -1) * cell(one).textContent.localeCompare(cell(other).textContent, "en");
  };
  body.append(...[...body.rows].sort(compared));
}

function copyable(button) {
  const text = button.closest("figure").querySelector("pre");
  button.addEventListener("click", async () => {
    getSelection().selectAllChildren(text);
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "copied";
    } catch {
      button.textContent = "selected";
    }
  });
}

/* Numbers */
const grouped = (number) => Number(number).toLocaleString("en-US");
const share = (part, whole) => `${((100 * part) / whole).toFixed(1)} %`;

const rounded = (value, digits) => Number(value.toPrecision(digits));

/** A number with the letter of its thousands. */
function short(value, digits) {
  const size = Math.abs(value);
  for (const [scale, unit] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (size >= scale) return `${rounded(value / scale, digits)}${unit}`;
  }
  return String(rounded(value, digits));
}

/** An error in per cent as a text with its sign: in ppm where the largest beside it is below 0.1 %. */
function error(value, digits, largest) {
  const sign = value > 0 ? "+" : "";
  return largest < 0.1 ? `${sign}${rounded(1e4 * value, digits)}ppm` : `${sign}${rounded(value, digits)}%`;
}

/** How many digits tell neighbouring ticks apart. */
function digitsOf(ticks) {
  if (ticks.length < 2) return 9;
  return Math.min(15, Math.max(4, Math.ceil(Math.log10(Math.max(...ticks.map(Math.abs)) / (ticks[1] - ticks[0]))) + 2));
}

/** The width of the widest of some labels of a chart. */
function widest({ ctx }, texts) {
  ctx.save();
  ctx.font = `${SIZE}px ${FONT}`;
  const width = Math.max(0, ...texts.map((text) => ctx.measureText(text).width));
  ctx.restore();
  return width;
}

/** Write a text so that it can be read on lines and hatches. */
function outlined(ctx, text, x, y, ground) {
  ctx.lineJoin = "round";
  ctx.lineWidth = 3 * devicePixelRatio;
  ctx.strokeStyle = colour(ground);
  ctx.strokeText(text, x, y);
  ctx.fillText(text, x, y);
}

/** The least and the largest of all values, 0 among them; 0 and 1 where there is nothing else. */
function endsOf(columns) {
  let [low, high] = [0, 0];
  for (const values of columns) {
    for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  }
  return low < high ? [low, high] : [0, 1];
}

function summed(steps) {
  let sum = 0;
  return steps.map((step) => (sum += step));
}

/** A lane with its times in seconds and its counts as they were. */
function decoded(lane) {
  const seconds = (times) => times.map((time) => time / 1e9);
  const spans = (pairs) => pairs.map(seconds);
  const counted = summed(lane.c);
  return {
    ...lane,
    t: summed(lane.t).map((step) => (step * lane.step) / 1e9),
    c: counted,
    g: lane.g && summed(lane.g),
    end: lane.end / 1e9,
    off: spans(lane.off),
    stop: spans(lane.stop),
    on: lane.on.map(([start, core]) => [start / 1e9, core]),
    moves: seconds(lane.moves),
    crossings: seconds(lane.crossings),
    interrupts: seconds(lane.interrupts),
    died: lane.died === null ? null : lane.died / 1e9,
    rate: lane.rate && { ...lane.rate, t: seconds(lane.rate.t) },
    clock: lane.clock && { ...lane.clock, t: seconds(lane.clock.t) },
  };
}

/** Where a value lies between the values of a rising list, as a place in another list. */
function along(value, from, to) {
  let low = 0;
  let high = from.length - 1;
  if (value <= from[0]) return to[0];
  if (value >= from[high]) return to[high];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (from[middle] <= value) low = middle;
    else high = middle;
  }
  const width = from[high] - from[low];
  return width ? to[low] + ((value - from[low]) / width) * (to[high] - to[low]) : to[low];
}

const HEIGHT = 145;
const FONT = "system-ui, sans-serif";
const SIZE = 11;
/** What lies between an axis and its labels: uPlot's ticks and gap. */
const TICKS = 15;
/** Room for labels at first; it grows with them. */
const ROOM = { left: 48, right: 18 };

class Plot {
  constructor(data) {
    this.data = data;
    this.cache = new Map();
    this.host = byId("lanes");
    this.charts = [];
    this.range = null;
    this.listen();
    this.build();
    new ResizeObserver(() => this.fit()).observe(this.host);
  }

  get view() { return byId("plot-view").value; }
  get vcpu() { return byId("plot-vcpu").value; }
  get axis() { return this.view === "cycles" || this.view === "lost" ? byId("plot-axis").value : "time"; }

  lane(policy) {
    const key = `${this.vcpu}:${policy}`;
    if (!this.cache.has(key)) this.cache.set(key, decoded(this.data.lanes[this.vcpu][policy]));
    return this.cache.get(key);
  }

  listen() {
    byId("plot-vcpu").addEventListener("change", () => this.build());
    byId("plot-view").addEventListener("change", () => { this.range = null; this.build(); });
    byId("plot-axis").addEventListener("change", () => { this.range = null; this.build(); });
    for (const box of all("[name=policy]")) box.addEventListener("change", () => this.build());
    for (const button of all("[data-move]")) button.addEventListener("click", () => this.move(button.dataset.move));
    this.host.addEventListener("keydown", (event) => this.key(event));
    this.host.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.host.addEventListener("dblclick", () => this.move("all"));
    byId("plot").querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  }

  /** What is drawn of a lane: x, counted and true values. */
  columns(lane) {
    if (this.view === "rate") return [lane.rate.t, lane.rate.c, lane.rate.g];
    if (this.view === "clock") return [lane.clock.t, lane.clock.c.map((ppm) => ppm / 1e4), null];
    const x = this.axis === "true" ? lane.g : lane.t;
    if (this.view === "lost") return [x, lane.g.map((value, place) => value - lane.c[place]), null];
    return [x, lane.c, lane.g];
  }

  build() {
    this.charts.forEach((chart) => chart.destroy());
    byId("plot-axis").disabled = this.view === "rate" || this.view === "clock";
    const policies = all("[name=policy]:checked").map((box) => Number(box.value));
    const lanes = policies.map((policy) => this.lane(policy));
    const drawn = lanes.map((lane) => this.columns(lane));
    const last = lanes.map((lane) => (this.axis === "true" ? lane.g.at(-1) : Math.max(lane.end, lane.died ?? 0)));
    this.whole = [0, Math.max(1e-9, ...last)];
    this.ends = endsOf(drawn.flatMap(([, one, other]) => [one, other || []])).map((end) => 1.08 * end);
    this.room = { ...ROOM };
    this.host.replaceChildren();
    this.charts = policies.map((policy, place) => this.chart(policy, lanes[place], drawn[place]));
    if (!policies.length) this.host.textContent = "No policy is chosen.";
    byId("plot-status").textContent = "";
  }

  chart(policy, lane, [x, counted, real]) {
    const box = document.createElement("div");
    box.className = "lane";
    const title = document.createElement("h3");
    title.textContent = this.data.policies[policy];
    const values = document.createElement("p");
    values.className = "values";
    box.append(title, values);
    this.host.append(box);
    const lines = [counted, ...(real ? [real] : [])];
    const chart = new uPlot(this.options(lane), [x, ...lines], box);
    Object.assign(chart, { lane, values, policy });
    chart.root.setAttribute("aria-hidden", "true");
    this.tell(chart);
    return chart;
  }

  options(lane) {
    const stepped = this.view === "rate" ? uPlot.paths.stepped({ align: -1 }) : this.view === "clock" ? uPlot.paths.stepped({ align: 1 }) : undefined;
    const stroke = () => colour("text");
    const grid = { stroke: () => colour("grid"), width: 1 };
    const axis = { stroke, grid, ticks: grid, font: `${SIZE}px ${FONT}` };
    return {
      width: Math.max(200, this.host.clientWidth),
      height: HEIGHT,
      padding: [6, () => this.room.right, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: "lanes", setSeries: false, filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } },
        drag: { x: true, y: false, setScale: false },
        y: false,
        points: { size: 7 },
      },
      scales: { x: { time: false, range: () => this.range || this.whole }, y: { range: (chart, low, high) => this.rangeOf(low, high) } },
      axes: [
        { ...axis, size: 30, space: () => (this.range ? 96 : 64), values: (chart, ticks) => this.times(chart, ticks) },
        { ...axis, size: () => this.room.left, values: (chart, ticks) => this.amounts(chart, ticks) },
      ],
      series: [
        {},
        { stroke: () => colour("counted"), width: 2.5, paths: stepped, spanGaps: false, points: { show: false } },
        { stroke: () => colour("true"), width: 1.25, dash: [5, 3], paths: stepped, spanGaps: false, points: { show: false } },
      ].slice(0, this.columns(lane)[2] ? 3 : 2),
      hooks: {
        drawClear: [(chart) => this.bands(chart, lane)],
        drawAxes: [(chart) => this.names(chart, lane)],
        draw: [(chart) => this.marks(chart, lane)],
        setCursor: [(chart) => this.tell(chart)],
        setSelect: [(chart) => this.marked(chart)],
      },
    };
  }

  /** The range of the vertical axis: one for all lanes while all is shown, what is in view when zoomed in. */
  rangeOf(low, high) {
    if (!this.range) return this.ends;
    if (low === null || low === undefined) return [0, 1];
    const room = 0.06 * (high - low) || Math.abs(high) * 0.01 || 1;
    return [low - room, high + room];
  }

  times(chart, ticks) {
    const digits = digitsOf(ticks);
    const texts = ticks.map((tick) => (this.axis === "true" ? short(tick, digits) : `${rounded(tick, digits)} s`));
    this.widen("right", widest(chart, texts) / 2 + 2);
    return texts;
  }

  amounts(chart, ticks) {
    const [digits, largest] = [digitsOf(ticks), Math.max(...ticks.map(Math.abs))];
    const texts = ticks.map((tick) => this.amount(tick, digits, largest));
    this.widen("left", widest(chart, texts) + TICKS);
    return texts;
  }

  amount(value, digits = 4, largest = Math.abs(value)) {
    if (this.view === "rate") return String(rounded(value, digits));
    if (this.view === "clock") return error(value, digits, largest);
    return short(value, digits);
  }

  /** Give labels room in all lanes alike, so that a time is at the same place in each. */
  widen(side, width) {
    if (width <= this.room[side]) return;
    this.room[side] = Math.ceil(width);
    queueMicrotask(() => this.charts.forEach((chart) => chart.redraw(true, true)));
  }

  /** A time of a lane as a place on its horizontal axis. */
  place(chart, lane, time) {
    const value = this.axis === "true" ? along(time, lane.t, lane.g) : time;
    return chart.valToPos(value, "x", true);
  }

  bands(chart, lane) {
    const { ctx, bbox } = chart;
    ctx.save();
    ctx.setLineDash([]);
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const [left, right, core] of this.stays(chart, lane)) {
      ctx.fillStyle = colour(`core-${core % 4}`);
      ctx.fillRect(left, bbox.top, right - left, bbox.height);
    }
    for (const [start, end] of lane.stop) this.band(chart, lane, start, end, "stopped", "muted", false);
    for (const [start, end] of lane.off) this.band(chart, lane, start, end, "stall-band", "stall", true);
    ctx.restore();
  }

  /** The stretches on one core type that are in view: from where to where, and its number. */
  stays(chart, lane) {
    const [first, last] = [chart.bbox.left, chart.bbox.left + chart.bbox.width];
    return lane.on
      .map(([start, core], number) => {
        const end = number + 1 < lane.on.length ? lane.on[number + 1][0] : lane.end;
        return [Math.max(first, this.place(chart, lane, start)), Math.min(last, this.place(chart, lane, end)), core];
      })
      .filter(([left, right]) => left < right);
  }

  /** Write the core types' names at the heads of their bands, where there is room for them. */
  names(chart, lane) {
    const { ctx, bbox } = chart;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.font = `${10 * ratio}px ${FONT}`;
    ctx.fillStyle = colour("muted");
    ctx.textAlign = "left";
    ctx.textBaseline = "alphabetic";
    for (const [left, right, core] of this.stays(chart, lane)) {
      const text = this.data.cores[core];
      if (right - left < ctx.measureText(text).width + 12 * ratio) continue;
      outlined(ctx, text, left + 6 * ratio, bbox.top + 12 * ratio, `core-${core % 4}`);
    }
    ctx.restore();
  }

  band(chart, lane, start, end, fill, ink, slanted) {
    const { ctx, bbox } = chart;
    const left = this.place(chart, lane, start);
    const width = Math.max(this.place(chart, lane, end) - left, devicePixelRatio);
    const [from, to] = [Math.max(left, bbox.left), Math.min(left + width, bbox.left + bbox.width)];
    if (to <= from) return;
    ctx.save();
    ctx.beginPath();
    ctx.rect(from, bbox.top, to - from, bbox.height);
    ctx.clip();
    ctx.fillStyle = colour(fill);
    ctx.fillRect(from, bbox.top, to - from, bbox.height);
    ctx.strokeStyle = colour(ink);
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    const step = 8 * devicePixelRatio;
    const lean = slanted ? bbox.height : 0;
    for (let x = from - lean - ((from - lean) % step); x < to; x += step) {
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x + lean, bbox.top);
    }
    ctx.stroke();
    ctx.restore();
  }

  marks(chart, lane) {
    const { ctx, bbox } = chart;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.setLineDash([]);
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    const strokes = (times, length, width, style) => {
      ctx.beginPath();
      ctx.strokeStyle = colour(style);
      ctx.lineWidth = width * ratio;
      for (const time of times) {
        const x = this.place(chart, lane, time);
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + length * ratio);
      }
      ctx.stroke();
    };
    strokes(lane.moves, 7, 1, "muted");
    strokes(lane.crossings, 15, 2, "true");
    ctx.fillStyle = colour("true");
    for (const time of lane.interrupts) {
      const [x, y] = [this.place(chart, lane, time), bbox.top + bbox.height];
      ctx.beginPath();
      ctx.moveTo(x, y - 10 * ratio);
      ctx.lineTo(x + 5 * ratio, y);
      ctx.lineTo(x - 5 * ratio, y);
      ctx.fill();
    }
    ctx.restore();
    if (lane.died !== null) this.death(chart, lane);
  }

  /** A cross where the guest dies; in the lane of a shadow, under which it did not die, the end of its run. */
  death(chart, lane) {
    const { ctx, bbox } = chart;
    const [x, y, arm] = [this.place(chart, lane, lane.died), bbox.top + bbox.height / 2, 7 * devicePixelRatio];
    if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) return;
    ctx.save();
    ctx.setLineDash([]);
    ctx.beginPath();
    if (lane.shadow_of) {
      ctx.strokeStyle = colour("muted");
      ctx.lineWidth = 2 * devicePixelRatio;
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
    } else {
      ctx.strokeStyle = colour("stall");
      ctx.lineWidth = 3 * devicePixelRatio;
      ctx.moveTo(x - arm, y - arm);
      ctx.lineTo(x + arm, y + arm);
      ctx.moveTo(x + arm, y - arm);
      ctx.lineTo(x - arm, y + arm);
    }
    ctx.stroke();
    this.obituary(chart, lane, x, y, arm);
    ctx.restore();
  }

  /** Say beside a place that the guest died, in as many words as there is room for. */
  obituary({ ctx, bbox }, lane, x, y, arm) {
    const at = `at ${lane.died.toFixed(3)} s`;
    const texts = lane.shadow_of
      ? [`the guest died ${at} under ${lane.shadow_of}`, `died under ${lane.shadow_of}`, "end of the run"]
      : [`guest dies at ${lane.died.toFixed(6)} s: ${lane.outcome}`, `guest dies ${at}`, "guest dies"];
    const left = x < bbox.left + bbox.width / 2;
    const room = (left ? bbox.left + bbox.width - x : x - bbox.left) - 3 * arm;
    ctx.font = `600 ${SIZE * devicePixelRatio}px ${FONT}`;
    const text = texts.find((one) => ctx.measureText(one).width < room);
    if (text === undefined) return;
    ctx.textAlign = left ? "left" : "right";
    ctx.textBaseline = "middle";
    ctx.fillStyle = colour("text");
    outlined(ctx, text, x + (left ? 2 : -2) * arm, y, "ground");
  }

  /** The values under the cursor, or those at the end. */
  tell(chart) {
    const { lane, values } = chart;
    if (!lane) return;
    const [x, one, other] = chart.data;
    const place = chart.cursor.idx ?? x.length - 1;
    if (place < 0) {
      values.textContent = this.view === "clock" ? "the guest keeps no clock" : "nothing recorded";
      return;
    }
    values.textContent = this.words(lane, x[place], one[place], other?.[place]);
  }

  words(lane, x, one, other) {
    const time = this.axis === "true" ? along(x, lane.g, lane.t) : x;
    const at = this.axis === "true" ? `${grouped(x)} true cycles (${time.toFixed(6)} s)` : `${time.toFixed(6)} s`;
    const parts = [at];
    const counter = (value) => `PMCCNTR_EL0 ${lane.enabled ? value : "never enabled"}`;
    if (this.view === "rate") parts.push(counter(`${one ?? "-"} MHz`), `true ${other ?? "-"} MHz`);
    else if (this.view === "clock") parts.push(`clock error ${this.amount(one)}`);
    else if (this.view === "lost") parts.push(lane.enabled ? `${grouped(one)} cycles not counted` : counter());
    else {
      parts.push(counter(grouped(one)));
      if (other !== undefined) parts.push(`true ${grouped(other)}`);
      if (other && lane.enabled) parts.push(`${share(one, other)} counted`);
    }
    const stay = lane.on.filter(([start]) => start <= time).at(-1);
    if (stay) parts.push(`on ${this.data.cores[stay[1]]}`);
    if (lane.off.some(([start, end]) => start <= time && time < end)) parts.push("stalled");
    return parts.join(" · ");
  }

  /** What was marked by dragging is shown, by all lanes. */
  marked(chart) {
    const { left, width } = chart.select;
    if (width < 3) return;
    const [low, high] = [chart.posToVal(left, "x"), chart.posToVal(left + width, "x")];
    chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.show(low, high);
  }

  /** Show a stretch, within what there is, in all lanes. */
  show(min, max) {
    const [low, high] = this.whole;
    const width = Math.min(high - low, Math.max(max - min, (high - low) * 1e-7));
    const start = Math.min(Math.max(min, low), high - width);
    this.range = width >= (high - low) * 0.9999 ? null : [start, start + width];
    const [from, to] = this.range || this.whole;
    for (const chart of this.charts) chart.setScale("x", { min: from, max: to });
  }

  zoom(factor, centre) {
    const [low, high] = this.range || this.whole;
    const middle = centre ?? (low + high) / 2;
    this.show(middle - (middle - low) * factor, middle + (high - middle) * factor);
  }

  pan(part) {
    const [low, high] = this.range || this.whole;
    this.show(low + part * (high - low), high + part * (high - low));
  }

  move(what) {
    if (what === "in") this.zoom(0.5);
    else if (what === "out") this.zoom(2);
    else if (what === "all") this.show(...this.whole);
    else this.pan(what === "left" ? -0.25 : 0.25);
  }

  wheel(event) {
    if (!this.host.matches(":focus-within") && !event.ctrlKey) return;
    event.preventDefault();
    const chart = this.charts.find((one) => one.root.contains(event.target)) || this.charts[0];
    if (!chart) return;
    const left = event.clientX - chart.over.getBoundingClientRect().left;
    this.zoom(event.deltaY < 0 ? 0.8 : 1.25, chart.posToVal(left, "x"));
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const moves = {
      "+": () => this.move("in"), "=": () => this.move("in"), "-": () => this.move("out"), "0": () => this.move("all"),
      PageUp: () => this.pan(-0.5), PageDown: () => this.pan(0.5),
      ArrowLeft: () => this.walk(event.shiftKey ? -20 : -1), ArrowRight: () => this.walk(event.shiftKey ? 20 : 1),
      Home: () => this.walk(-Infinity), End: () => this.walk(Infinity), Escape: () => this.move("all"),
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    moves[event.key]();
  }

  /** Move the cursor along the samples of the first lane, and tell all values there. */
  walk(steps) {
    const [first] = this.charts;
    if (!first || !first.data[0].length) return;
    const x = first.data[0];
    const last = x.length - 1;
    const place = Math.min(last, Math.max(0, Math.round((first.cursor.idx ?? (steps > 0 ? -1 : last + 1)) + Math.max(-last - 2, Math.min(last + 2, steps)))));
    const value = x[place];
    const [low, high] = this.range || this.whole;
    if (value < low || value > high) this.show(value - (high - low) / 2, value + (high - low) / 2);
    for (const chart of this.charts) {
      chart.setCursor({ left: chart.valToPos(value, "x"), top: 10 }, true, false);
    }
    byId("plot-status").textContent = this.charts.map((chart) => `${this.data.policies[chart.policy]}: ${chart.values.textContent}`).join("; ");
  }

  fit() {
    const width = Math.max(200, this.host.clientWidth);
    for (const chart of this.charts) if (chart.width !== width) chart.setSize({ width, height: HEIGHT });
  }

  redraw() {
    for (const chart of this.charts) chart.redraw(false, true);
  }
}

let plot = null;
all("table.figures").forEach(sortable);
all(".copy").forEach(copyable);
for (const button of all("[data-theme-choice]")) button.addEventListener("click", () => setTheme(button.dataset.themeChoice));
if (byId("plot-data")) plot = new Plot(JSON.parse(byId("plot-data").textContent));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot?.redraw());
let before = null;
addEventListener("beforeprint", () => { before = root.dataset.theme || "auto"; setTheme("light"); });
addEventListener("afterprint", () => setTheme(before || "auto"));
requestAnimationFrame(() => requestAnimationFrame(() => {
  performance.mark("report-ready");
  root.dataset.ready = String(Math.round(performance.measure("report", "report-start", "report-ready").duration));
}));
