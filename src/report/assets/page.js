// Puts an interactive chart over every drawn one. Without it the page is complete; with it, values can be read off,
// stretches of time looked at closely, and lines hidden. src/report/live.rs says what the data looks like.
(() => {
"use strict";
const root = document.documentElement;
const charts = JSON.parse(document.getElementById("data").textContent);
const still = [...document.querySelectorAll("figure > .still")];
const tools = document.querySelector(".tools");
const timed = [];
let window_ = null;

// ---- numbers as the tables print them

const group = (value, digits) => value.toLocaleString("en-US", { maximumFractionDigits: digits });
function duration(ms) {
  const a = Math.abs(ms);
  if (a < 0.0005) return "0 ms";
  if (a < 0.005) return "<0.01 ms";
  if (a < 9.995) return ms.toFixed(2) + " ms";
  if (a < 99.95) return ms.toFixed(1) + " ms";
  if (a < 999.5) return ms.toFixed(0) + " ms";
  if (a < 9995) return (ms / 1e3).toFixed(2) + " s";
  if (a < 59950) return (ms / 1e3).toFixed(1) + " s";
  return clock(ms / 1e3);
}
function clock(s) {
  const whole = Math.round(s), two = n => String(n).padStart(2, "0");
  const h = Math.floor(whole / 3600), m = Math.floor(whole / 60) % 60;
  return h > 0 ? `${h}:${two(m)}:${two(whole % 60)} h` : `${m}:${two(whole % 60)} min`;
}
function length(s) {
  return s < 60 ? `${group(s, 1)} s` : s % 3600 === 0 ? `${s / 3600} h` : s % 60 === 0 ? `${s / 60} min` : clock(s);
}
function amount(chart, value) {
  if (value == null) return "–";
  if (chart.a === "time") return duration(value);
  return `${bare(chart, value)} ${chart.u}${chart.a === "rate" ? "/s" : ""}`;
}
// Without the unit, which a second value behind it has; durations always have theirs.
function bare(chart, value) {
  if (chart.a === "time") return duration(value);
  return group(value, Math.abs(value) < 1 ? 3 : Math.abs(value) < 100 ? 2 : 1);
}

// ---- ticks

const decimal = wanted => {
  const decade = 10 ** Math.floor(Math.log10(wanted));
  return decade * ([1, 2, 5].find(f => f * decade >= wanted * (1 - 1e-9)) || 10);
};
const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];
const MILLIS = [1e3, 2e3, 5e3, 1e4, 2e4, 3e4, 6e4, 12e4, 3e5, 6e5, 12e5, 18e5, 36e5, 72e5, 216e5, 432e5, 864e5, 6048e5];
const LOG = [.01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 3e4, 6e4, 12e4, 3e5, 6e5, 18e5, 36e5, 216e5, 864e5];
const PERCENTILES = [[2, "50%"], [10, "90%"], [100, "99%"], [1e3, "99.9%"], [1e4, "99.99%"], [1e5, "99.999%"]];
const multiples = (step, low, high) => {
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9) || 0; i * step <= high * (1 + 1e-9); i++) ticks.push(i * step);
  return ticks;
};
function timeStep(span, room) {
  const wanted = span / Math.max(2, Math.min(7, room / 80));
  return wanted < 1 ? decimal(wanted) : SECONDS.find(step => step >= wanted) || decimal(wanted);
}
function timeLabel(at, step, high) {
  if (high < 120) return `${group(at, 3)} s`;
  const two = n => String(n).padStart(2, "0");
  const s = Math.round(at);
  const seconds = step < 1 ? (at % 60).toFixed(1).padStart(4, "0") : two(s % 60);
  if (high <= 7200) return `${Math.floor(s / 60)}:${seconds}`;
  const hours = `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}`;
  return step < 60 ? `${hours}:${seconds}` : hours;
}
function short(ms, step) {
  const unit = ms === 0 ? [1, ""] : step < 1e3 && ms < 1e3 ? [1, " ms"] : step < 6e4 ? [1e3, " s"]
    : step < 36e5 ? [6e4, " min"] : step < 864e5 ? [36e5, " h"] : [864e5, " d"];
  return group(ms / unit[0], 3) + unit[1];
}
function thinned(ticks, most) {
  const each = Math.ceil(ticks.length / most);
  return ticks.filter((_, index) => index % each === 0);
}
function valueTicks(chart, low, high) {
  if (chart.g) return thinned(LOG.filter(at => at >= low && at <= high), 7);
  const wanted = (high - low) / 5;
  if (!(wanted > 0)) return [low];
  let step = decimal(wanted);
  if (chart.a === "count") step = Math.max(1, step);
  if (chart.a === "time" && wanted > 500) step = MILLIS.find(it => it >= wanted) || step;
  return multiples(step, low, high);
}
function valueLabels(chart, ticks) {
  const step = ticks.length > 1 ? ticks[1] - ticks[0] : ticks[0];
  return ticks.map(at => chart.a === "time" ? short(at, chart.g ? at : step)
    : step >= 2e5 && at > 0 ? `${group(at / 1e6, 3)} M` : group(at, 3));
}

// ---- colours, which follow the theme

let colours = {};
function readColours() {
  const style = getComputedStyle(root);
  colours = new Proxy({}, { get: (_, name) => style.getPropertyValue("--" + name).trim() });
}
readColours();
const faint = name => colours[name] + "48";

// ---- data

// Steps of more than one bin have two values each, the smallest and the largest.
function places(chart) {
  if (chart.xs) return chart.xs;
  const longest = Math.max(...chart.lines.map(line => line.v.length));
  const half = chart.p ? 2 : 1;
  return Array.from({ length: longest }, (_, i) => Math.min((i + .5) * chart.dx / half, chart.end));
}
// Means over stretches of what is in sight, where single values would be a band of noise.
function smooth(chart, line, from, to, target) {
  target.fill(undefined);
  const half = chart.p ? 2 : 1, values = line.m || line.v;
  const low = Math.floor(from / half), high = Math.ceil(to / half);
  if (to - from <= 400) return 0;
  const stretch = Math.ceil((high - low) / 200);
  for (let at = Math.floor(low / stretch) * stretch; at < high; at += stretch) {
    let sum = 0, known = 0;
    for (let i = at; i < Math.min(at + stretch, values.length); i++) {
      if (values[i] != null) { sum += values[i]; known++; }
    }
    const place = Math.min(Math.floor((at + stretch / 2) * half), target.length - 1);
    target[place] = known ? sum / known : null;
  }
  return stretch * chart.dx;
}

// ---- one chart

function build(chart, drawing) {
  const figure = drawing.parentElement;
  const xs = places(chart);
  const isTime = chart.x === "time";
  const data = [xs];
  const series = [{}];
  const lines = chart.lines.map(line => {
    const values = chart.g ? line.v.map(v => v > 0 ? v : null) : line.v;
    while (values.length < xs.length) values.push(null);
    const of = { line, raw: data.length, mean: 0, smoothed: false, shown: true };
    data.push(values);
    series.push({
      label: line.l,
      stroke: () => of.smoothed ? faint(line.c) : colours[line.c],
      fill: line.f ? () => colours[line.c] + "29" : undefined,
      fillTo: (u, _, low) => chart.g ? u.scales.y.min : Math.max(0, low),
      width: 1.7,
      paths: chart.x === "ms" ? uPlot.paths.stepped({ align: 1 }) : undefined,
      points: { show: xs.length < 3, size: 5 },
    });
    if (line.n) {
      of.mean = data.length;
      data.push(new Array(xs.length).fill(undefined));
      series.push({ label: line.l + ", mean", stroke: () => colours[line.c], width: 1.7, points: { show: false } });
    }
    return of;
  });

  const means = figure.querySelector(".means");
  const gap = means?.textContent.startsWith(" ·") ? " · " : "";
  const holder = document.createElement("div");
  holder.className = "plot";
  holder.tabIndex = 0;
  holder.setAttribute("role", "group");
  holder.setAttribute("aria-label", drawing.getAttribute("aria-label"));
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  drawing.before(holder);

  const full = [chart.from, chart.end];
  const size = () => ({ width: Math.max(220, holder.clientWidth), height: Math.round(Math.max(190, Math.min(300, holder.clientWidth * .4))) });
  const yRange = (u, low, high) => {
    if (high == null) return chart.g ? [1, 10] : [0, 1];
    if (chart.g) return [roundDown(low), Math.max(high * 1.15, roundDown(low) * 2)];
    const limit = chart.lim ? chart.lim[1] * 1.16 : 0;
    return [0, Math.max(high * 1.06, limit) || 1];
  };
  const roundDown = v => {
    const decade = 10 ** Math.floor(Math.log10(v));
    return decade * ([5, 2].find(f => f * decade <= v) || 1);
  };
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const xTicks = (u, low, high) => isTime ? multiples(timeStep(high - low, u.bbox.width / devicePixelRatio), low, high)
    : chart.x === "percentile" ? PERCENTILES.map(it => it[0]).filter(at => at >= low * .999 && at <= high * 1.001)
    : thinned(LOG.filter(at => at >= low && at <= high), Math.max(3, u.bbox.width / devicePixelRatio / 60));
  const xLabels = (u, ticks) => ticks.map((at, i) =>
    isTime ? timeLabel(at, ticks.length > 1 ? ticks[1] - ticks[0] : 60, u.scales.x.max)
    : chart.x === "percentile" ? (PERCENTILES.find(it => Math.abs(it[0] / at - 1) < .01) || [0, ""])[1] : short(at, at));

  const u = new uPlot({
    ...size(),
    legend: { show: false },
    padding: [16, chart.x === "percentile" ? 28 : 22, 0, 4],
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false, dist: 4 },
      sync: isTime ? { key: "time", setSeries: false, scales: ["x", null], filters: { pub: type => type === "mousemove" || type === "mouseleave" } } : undefined,
      points: { size: 7 },
      bind: { dblclick: () => () => zoom(me, null) },
    },
    scales: {
      x: { time: false, distr: isTime ? 1 : 3, log: 10, auto: false, range: (_, low, high) => [low ?? full[0], high ?? full[1]] },
      y: { distr: chart.g ? 3 : 1, log: 10, range: yRange },
    },
    axes: [
      { stroke: () => colours.muted, font, size: 30, gap: 5, splits: (u, _, low, high) => xTicks(u, low, high), filter: (u, ticks) => ticks,
        values: xLabels, grid: { show: false }, ticks: { stroke: () => colours.muted, size: 4, width: 1 }, border: { show: true, stroke: () => colours.muted, width: 1 } },
      { stroke: () => colours.muted, font, gap: 5, splits: (u, _, low, high) => valueTicks(chart, low, high), filter: (u, ticks) => ticks,
        values: (u, ticks) => valueLabels(chart, ticks), grid: { stroke: () => colours.grid, width: 1 }, ticks: { show: false },
        size: (u, labels) => labels ? 16 + Math.max(...labels.map(label => label.length)) * 7 : 50 },
    ],
    series,
    hooks: { drawClear: [bands], draw: [limit], setCursor: [tell], setSelect: [select] },
  }, data, holder);
  u.over.append(tip);
  const me = { u, chart, lines, full, isTime, resize: () => { const now = size(); if (now.width !== u.width || now.height !== u.height) u.setSize(now); }, show };
  figure.classList.add("live");

  function show([from, to]) {
    let first = xs.findIndex(x => x >= from), last = xs.findLastIndex(x => x <= to);
    first = Math.max(0, first - 1);
    last = last < 0 ? xs.length : Math.min(xs.length, last + 2);
    let covered = 0;
    for (const of of lines) {
      const length = of.mean ? smooth(chart, of.line, first, last, data[of.mean]) : 0;
      of.smoothed = length > 0;
      covered = Math.max(covered, length);
      u.series[of.raw].width = of.smoothed ? 1 : 1.7;
    }
    if (means) means.textContent = covered ? `${gap}${length(covered)} means` : "";
    u.batch(() => {
      u.setData(data, false);
      u.setScale("x", { min: from, max: to });
    });
  }

  // Stretches of time behind everything, with their names where there is room.
  function bands() {
    const { ctx, bbox } = u, dpr = devicePixelRatio;
    ctx.save();
    ctx.font = `${11 * dpr}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textAlign = "left";
    ctx.textBaseline = "bottom";
    let free = bbox.left;
    for (const [label, from, to, fault] of chart.w || []) {
      const at = x => Math.max(bbox.left, Math.min(bbox.left + bbox.width, u.valToPos(x, "x", true)));
      const left = at(from), width = at(to) - left;
      if (width <= 0) continue;
      ctx.fillStyle = fault ? colours.fault : colours.warm;
      ctx.fillRect(left, bbox.top, width, bbox.height);
      const needed = ctx.measureText(label).width;
      const start = Math.min(left, bbox.left + bbox.width - needed);
      if (start < free) continue;
      ctx.fillStyle = fault ? colours.hot : colours.muted;
      ctx.fillText(label, start, bbox.top - 2 * dpr);
      free = start + needed + 8 * dpr;
    }
    ctx.restore();
  }
  function limit() {
    if (!chart.lim) return;
    const [label, value] = chart.lim, { ctx, bbox } = u, dpr = devicePixelRatio;
    const y = Math.round(u.valToPos(value, "y", true));
    if (!(y >= bbox.top && y <= bbox.top + bbox.height)) return;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colours.ink;
    ctx.lineWidth = 1.3 * dpr;
    ctx.setLineDash([6 * dpr, 4 * dpr]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.font = `${12 * dpr}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textAlign = "right";
    ctx.textBaseline = "bottom";
    ctx.fillText(`${label} ${group(value, 0)}`, bbox.left + bbox.width, y - 3 * dpr);
    ctx.restore();
  }

  // ---- the values under the cursor

  function heading(index) {
    if (chart.x === "percentile") {
      const digits = Math.max(0, Math.ceil(Math.log10(xs[index]) - 1e-9) - 1);
      return `p${Number((100 * (1 - 1 / xs[index])).toFixed(digits))}`;
    }
    if (chart.x === "ms") return `${duration(xs[index])} to ${duration(xs[Math.min(index + 1, xs.length - 1)])}`;
    const step = Math.floor(index / (chart.p ? 2 : 1));
    const from = step * chart.dx, to = Math.min(from + chart.dx, chart.end);
    return chart.dx < 1 ? `${group(from, 3)} s` : `${clock(from).split(" ")[0]} to ${clock(to)}`;
  }
  function tell() {
    const index = u.cursor.idx;
    const own = holder.matches(":hover") || document.activeElement === holder;
    if (index == null || u.cursor.left < 0 || !own) { tip.hidden = true; return; }
    tip.replaceChildren(head(heading(index)));
    for (const of of lines.filter(of => of.shown)) {
      const row = document.createElement("div");
      const mark = document.createElement("i");
      mark.className = of.line.c;
      row.append(mark, `${of.line.l} `);
      const value = document.createElement("b");
      value.textContent = reading(of, index);
      row.append(value);
      tip.append(row);
    }
    tip.hidden = false;
    const left = u.cursor.left, room = u.over.clientWidth;
    tip.style.left = left > room / 2 ? "" : `${left + 12}px`;
    tip.style.right = left > room / 2 ? `${room - left + 12}px` : "";
    tip.style.maxWidth = `${Math.max(150, Math.max(left, room - left) - 12)}px`;
  }
  function head(text) {
    const element = document.createElement("strong");
    element.textContent = text;
    return element;
  }
  function reading(of, index) {
    if (!chart.p) return amount(chart, of.line.v[index]);
    const at = index - index % 2;
    const pair = [of.line.v[at], of.line.v[at + 1]].filter(v => v != null).sort((a, b) => a - b);
    if (!pair.length) return "–";
    if (pair[0] === pair[pair.length - 1]) return amount(chart, pair[0]);
    const mean = of.line.m ? `, mean ${bare(chart, of.line.m[at / 2])}` : "";
    return `${bare(chart, pair[0])} to ${amount(chart, pair[1])}${mean}`;
  }

  // ---- zoom and keys

  function select() {
    if (u.select.width < 4) return;
    const from = u.posToVal(u.select.left, "x"), to = u.posToVal(u.select.left + u.select.width, "x");
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    zoom(me, [from, to]);
  }
  function around(factor) {
    const { min, max } = u.scales.x;
    const middle = u.cursor.left >= 0 ? u.posToVal(u.cursor.left, "x") : isTime ? (min + max) / 2 : Math.sqrt(min * max);
    zoom(me, isTime ? [middle - (middle - min) * factor, middle + (max - middle) * factor]
      : [middle * (min / middle) ** factor, middle * (max / middle) ** factor]);
  }
  function step(by) {
    const { min, max } = u.scales.x;
    const now = u.cursor.idx ?? xs.findIndex(x => x >= min);
    const next = Math.max(0, Math.min(xs.length - 1, now + by));
    const x = Math.max(min, Math.min(max, xs[next]));
    u.setCursor({ left: u.valToPos(x, "x"), top: 1 });
  }
  const keys = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), PageUp: () => step(-20), PageDown: () => step(20),
    "+": () => around(.5), "=": () => around(.5), "-": () => around(2), 0: () => zoom(me, null),
    Escape: () => u.setCursor({ left: -10, top: -10 }) };
  holder.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    keys[event.key]();
    event.preventDefault();
  });
  holder.addEventListener("blur", () => u.setCursor({ left: -10, top: -10 }));

  // ---- legend: hides lines

  figure.querySelectorAll(".legend > li").forEach((item, index) => {
    const of = lines[index];
    if (!of || lines.length < 2) return;
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    button.append(...item.childNodes);
    item.append(button);
    button.addEventListener("click", () => {
      of.shown = !of.shown;
      button.setAttribute("aria-pressed", String(of.shown));
      u.batch(() => {
        u.setSeries(of.raw, { show: of.shown });
        if (of.mean) u.setSeries(of.mean, { show: of.shown });
      });
      tell();
    });
  });
  show(full);
  new ResizeObserver(me.resize).observe(holder);
  return me;
}

// Charts over time keep to one stretch of it; the others go their own way.
function zoom(one, range) {
  const [low, high] = one.full;
  let to = range || one.full;
  to = [Math.max(low, to[0]), Math.min(high, to[1])];
  const least = one.isTime ? Math.min(one.chart.dx * 2, (high - low) / 4) : 0;
  if (!(to[1] - to[0] > least)) return;
  const isWhole = to[0] <= low && to[1] >= high;
  if (!one.isTime) { one.show(to); one.zoomed = !isWhole; }
  else {
    window_ = isWhole ? null : to;
    timed.forEach(other => other.show(window_ || other.full));
  }
  tools.querySelector("[data-do=reset]").disabled = !window_ && !all.some(other => other.zoomed);
}

const all = charts.map((chart, index) => build(chart, still[index]));
timed.push(...all.filter(one => one.isTime));
tools.hidden = false;
tools.querySelector("[data-do=reset]").addEventListener("click", () => {
  if (timed.length) zoom(timed[0], null);
  all.filter(one => one.zoomed).forEach(one => zoom(one, null));
});

// ---- theme: the system's, or the one that is not

const repaint = () => { readColours(); all.forEach(one => one.u.redraw(false, true)); };
const preference = matchMedia("(prefers-color-scheme: dark)");
preference.addEventListener("change", repaint);
const themes = ["system", "light", "dark"];
const theme = tools.querySelector("[data-do=theme]");
theme.addEventListener("click", () => {
  const next = themes[(themes.indexOf(root.dataset.theme || "system") + 1) % 3];
  if (next === "system") delete root.dataset.theme; else root.dataset.theme = next;
  theme.textContent = `Theme: ${next}`;
  repaint();
});
})();
