/* The microscope's views. A page opened from disk may not fetch a file, so data come as scripts that call
   scenelens_add. Text of a study reaches the page as text alone: nothing here reads markup. */
"use strict";

(() => {
const loaded = new Map();  // file -> promise of its data
let study = null;          // what all pages need
let arrived = null;        // what the script that has just run has brought
const state = { mode: "plain", theme: "", keys: true };
const main = document.getElementById("main");
const find = document.getElementById("find");

window.scenelens_add = (value) => { arrived = value; };

// ---- loading

function load(file) {
  if (!loaded.has(file)) {
    loaded.set(file, new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = file.split("/").map(encodeURIComponent).join("/");
      // A script's own load event comes right after it ran, before another one runs.
      script.onload = () => { done(arrived); arrived = null; script.remove(); };
      script.onerror = () => { loaded.delete(file); failed(new Error(`${file} is missing; run the command again.`)); };
      document.head.append(script);
    }));
  }
  return loaded.get(file);
}

const layerData = (place) => load(place.layer.file);

// ---- making elements

function h(tag, about, ...children) {
  const svg = ["svg", "rect", "line", "text", "title", "path"].includes(tag);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(about || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, one] of Object.entries(value)) made.style.setProperty(key, one);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(9).filter((one) => one !== null && one !== undefined && one !== false));
  return made;
}

const number = (value) => {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en");
  return size >= 10 ? value.toFixed(1) : size >= 1 ? value.toFixed(2) : String(Number(value.toPrecision(3)));
};
const percent = (share) => share === null || share === undefined ? "–" : `${Math.round(100 * share)}%`;
const between = (low, high) => `${Math.round(100 * low)}–${Math.round(100 * high)}%`;
const side = (sides) => [...new Set(sides)].join(" × ");  // of a field, in pixels
const plural = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

// ---- addresses

const enc = encodeURIComponent;
function dec(text) { try { return decodeURIComponent(text); } catch { return text; } }

function address(hash = location.hash) {
  const [path, query] = hash.slice(1).split("?");
  const values = {};
  for (const pair of (query || "").split("&")) if (pair) {
    const at = pair.indexOf("=");
    values[dec(at < 0 ? pair : pair.slice(0, at))] = at < 0 ? "" : pair.slice(at + 1);
  }
  return { parts: path.split("/").map(dec), query: values };
}

const pins = () => (address().query.pins || "").split(",").filter(Boolean).map((one) => one.split("/").map(dec));
const pinText = (list) => list.map((one) => one.map(enc).join("/")).join(",");

function link(parts, query = {}) {
  const kept = { ...query };
  const pinned = "pins" in kept ? kept.pins : pinText(pins());
  delete kept.pins;
  const text = Object.entries(kept).filter(([, value]) => value !== "").map(([key, value]) => `${enc(key)}=${enc(value)}`);
  if (pinned) text.push(`pins=${pinned}`);
  return `#${parts.map((one) => enc(one)).join("/")}${text.length ? `?${text.join("&")}` : ""}`;
}

function placeOf(network, layer) {
  const net = study.networks.find((one) => one.name === network);
  const found = net && net.layers.find((one) => one.name === layer);
  return found ? { net, layer: found } : null;
}

const unitLink = (network, layer, unit) => link([network, layer, unit]);
const tone = (net) => ({ "--tone": net.color });
const dot = (net) => h("span", { class: "dot", style: tone(net), "aria-hidden": "true" });

// ---- images

function imageFile(net, row) { return `${net.images}/${Math.floor(row / 1000)}/${row}.webp`; }
const categoryOf = (row) => study.images.categories[study.images.category[row]] || "";
const words = (text) => text.replaceAll("_", " ");
// A name that halves of the images do not agree on stands beside its rivals.
const called = (label) => words(label.names && label.same_name < .95 ? label.names : label.concept);

/* Only images that some unit is shown with are in the folder. */
function hasImage(net, row) {
  net.rows = net.rows || bytes(net.shown);
  return (net.rows[row >> 3] >> (7 - (row & 7))) & 1;
}

const absent = () => h("span", { class: "absent" }, "no unit is shown with it");

function picture(net, row, alt) {
  const [high, wide] = net.size;
  return h("img", { src: imageFile(net, row), alt: alt, loading: "lazy", decoding: "async", style: { "aspect-ratio": `${wide} / ${high}` } });
}

/* The part of the frame that the unit could see at a position, in per cent of the frame. */
function boxOf(place, row, col) {
  const { map, start, stride, field } = place.layer, size = place.net.size;
  if (!map || !field) return null;
  const at = [row, col].map((one, k) => start[k] + stride[k] * one + .5);
  const low = at.map((one, k) => Math.max(0, one - field[k] / 2) / size[k]);
  const high = at.map((one, k) => Math.min(size[k], one + field[k] / 2) / size[k]);
  const whole = low.every((one) => one <= 0) && high.every((one) => one >= 1);
  return { low, high, whole, at: at.map((one, k) => one / size[k]) };
}

function boxElement(place, row, col, label) {
  const found = boxOf(place, row, col);
  if (!found) return null;
  const spot = h("span", { class: found.at[1] > .85 ? "spot late" : "spot", style: { top: `${100 * found.at[0]}%`, left: `${100 * found.at[1]}%` } }, label ? h("b", {}, label) : null);
  if (found.whole) return spot;
  const style = { top: `${100 * found.low[0]}%`, left: `${100 * found.low[1]}%`,
    height: `${100 * (found.high[0] - found.low[0])}%`, width: `${100 * (found.high[1] - found.low[1])}%` };
  const box = h("span", { class: "box", style });
  return label ? [box, spot] : box;
}

function bytes(text) { return Uint8Array.from(atob(text), (one) => one.charCodeAt(0)); }

/* As scenelens.networks.interpolate: linear between the positions, constant beyond the outermost ones. */
function axis(n, length, start, stride, points) {
  const found = [];
  for (let k = 0; k < points; k++) {
    const pixel = (k + .5) * length / points - .5;
    const at = Math.min(Math.max((pixel - start) / (stride || 1), 0), n - 1), first = Math.min(Math.floor(at), n - 1);
    found.push([first, Math.min(first + 1, n - 1), at - first]);
  }
  return found;
}

const POINTS = 112;  // along each side of a frame, at which the page draws what is lit

/* Which points of an image are lit, as a function of a point's row and column. */
function litPoints(place, unit, maps, rank) {
  if (unit.masks) {  // large maps come as bits
    const from = 8 * Math.ceil(POINTS * POINTS / 8) * rank;
    return (y, x) => { const bit = from + y * POINTS + x; return (maps[bit >> 3] >> (7 - (bit & 7))) & 1; };
  }
  const [high, wide] = place.layer.map, size = place.net.size, from = rank * high * wide, cut = cutOf(unit);
  const rows = axis(high, size[0], place.layer.start[0], place.layer.stride[0], POINTS);
  const cols = axis(wide, size[1], place.layer.start[1], place.layer.stride[1], POINTS);
  const at = (r, c) => maps[from + r * wide + c];
  return (y, x) => {
    const [up, down, v] = rows[y], [left, right, u] = cols[x];
    return (at(up, left) * (1 - u) + at(up, right) * u) * (1 - v) + (at(down, left) * (1 - u) + at(down, right) * u) * v > cut;
  };
}

/* Dark where the unit is not above its threshold. */
function litCanvas(place, unit, maps, rank) {
  const canvas = h("canvas", { width: POINTS, height: POINTS, "aria-hidden": "true" }), lit = litPoints(place, unit, maps, rank);
  const context = canvas.getContext("2d"), image = context.createImageData(POINTS, POINTS);
  for (let y = 0; y < POINTS; y++) for (let x = 0; x < POINTS; x++) {
    const k = 4 * (y * POINTS + x);
    image.data[k] = image.data[k + 1] = 18; image.data[k + 2] = 22;
    image.data[k + 3] = lit(y, x) ? 0 : 205;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

const mapsOf = (unit) => unit.maps || unit.masks ? bytes(unit.maps || unit.masks) : null;

const highestOf = (unit) => unit.top.length ? unit.top[0][1] : 0;
const thresholdOf = (unit) => unit.threshold === null ? highestOf(unit) / 2 : unit.threshold;

/* The threshold in the steps of the maps, of which the highest peak is 255. */
function cutOf(unit) {
  const highest = highestOf(unit);
  return highest > 0 ? 255 * Math.min(1, Math.max(0, thresholdOf(unit) / highest)) : 255;
}

function tile(place, unit, shown, rank, mode, maps) {
  const [row, peak, r, c] = shown, category = words(categoryOf(row));
  const view = h("a", { class: "view", href: link(["", "image", study.images.ids[row]]) },
    picture(place.net, row, category || study.images.ids[row]));
  // An image without a map is one of the lowest: it is dark as a whole if its peak is not above the threshold.
  if (mode === "lit" && maps && rank !== null) view.append(litCanvas(place, unit, maps, rank));
  else if (mode === "lit" && !(peak > thresholdOf(unit))) view.append(h("span", { class: "dark" }));
  if (mode === "boxed") view.append(boxElement(place, r, c) || "");
  return h("figure", { class: "tile" }, view,
    h("figcaption", { title: study.images.ids[row] }, `${number(peak)} ${category}`));
}

// ---- charts

function histogram(unit) {
  const { low, high, counts, n, over } = unit.spread;
  if (!n) return h("p", { class: "soft" }, "No image could be read.");
  const width = 420, height = 120, most = Math.log1p(Math.max(...counts)), step = width / counts.length;
  const said = `Peaks on ${plural(n, "image")}, from ${number(low)} to ${number(high)}.` + (unit.threshold === null ? "" :
    ` Threshold ${number(unit.threshold)}: ${plural(over, "image")} (${percent(over / n)}) have a higher peak.`);
  const made = h("svg", { viewBox: `0 -16 ${width} ${height + 34}`, role: "img", "aria-label": said },
    counts.map((count, k) => count ? h("rect", { class: "bar", x: k * step + .5, width: step - 1,
      y: height - height * Math.log1p(count) / most, height: height * Math.log1p(count) / most }) : null),
    h("line", { class: "axis", x1: 0, x2: width, y1: height, y2: height }),
    h("text", { x: 0, y: height + 14 }, number(low)), h("text", { x: width, y: height + 14, "text-anchor": "end" }, number(high)));
  if (unit.threshold !== null && high > low) {
    const x = width * Math.min(1, Math.max(0, (unit.threshold - low) / (high - low)));
    made.append(h("line", { class: "over", x1: x, x2: x, y1: 0, y2: height }),
      h("text", { x, y: -5, "text-anchor": x < 50 ? "start" : x > width - 50 ? "end" : "middle" }, `threshold ${number(unit.threshold)}`));
  }
  return [made, h("p", { class: "soft" }, h("small", {}, `${said} Heights are logarithms of counts.`))];
}

function bars(rows) {  // {what, href, share, low, high, chance, amount}
  const most = Math.max(...rows.map((one) => Math.max(one.share, one.high || 0, one.chance || 0)), 1e-9);
  const at = (value) => `${100 * value / most}%`;
  return h("ul", { class: "bars" }, rows.map((one) => h("li", {},
    h("span", { class: "what", title: one.what }, one.href ? h("a", { href: one.href }, one.what) : one.what),
    h("span", { class: "track", "aria-hidden": "true" }, h("i", { style: { width: at(one.share) } }),
      one.high ? h("b", { style: { left: at(one.low), width: at(one.high - one.low) } }) : null,
      one.chance !== undefined ? h("u", { style: { left: at(one.chance) } }) : null),
    h("span", { class: "amount" }, one.amount))));
}

function scrolled(made) {
  const around = h("div", { class: "scroll" }, made);
  widths.observe(around);
  return around;
}

/* Only what is wider than its place can be scrolled, and only that needs the keys and a name. */
const widths = new ResizeObserver((seen) => seen.forEach(({ target }) => {
  let above = target;
  while (above && !/^H[123]$/.test(above.tagName)) above = above.previousElementSibling;
  const about = { tabindex: "0", role: "region", "aria-label": above ? `table: ${above.firstChild.textContent}` : "table" };
  for (const [name, value] of Object.entries(about)) {
    if (target.scrollWidth > target.clientWidth) target.setAttribute(name, value); else target.removeAttribute(name);
  }
}));

function table(head, rows) {
  return scrolled(h("table", {}, h("thead", {}, h("tr", {}, head.map((one) => h("th", { scope: "col" }, one)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell)))))));
}

function facts(rows) {
  return scrolled(h("table", { class: "facts" }, h("tbody", {}, rows.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value))))));
}

// ---- parts that several views share

function named(place, unit) { return place.layer.names[unit] || null; }

/* A layer has hundreds of cards, and a page with four images in each is slow to build: a card gets its own
   when it comes near. */
const near = new IntersectionObserver((seen) => seen.forEach(({ isIntersecting, target }) => {
  if (!isIntersecting) return;
  near.unobserve(target);
  target.fill();
}), { rootMargin: "600px" });

function quad(place, unit) {
  const made = h("span", { class: "quad" });
  made.fill = () => made.append(...(place.layer.tops[unit] || []).map((row) => picture(place.net, row, "")));
  near.observe(made);
  return made;
}

function card(place, unit, extra) {
  const name = named(place, unit), label = `${place.layer.name}:${unit}`;
  return h("a", { class: "card", href: unitLink(place.net.name, place.layer.name, unit), style: tone(place.net) },
    quad(place, unit),
    extra ? h("b", { class: "label" }, label) : null,
    h("span", { class: "words" }, h("span", {}, extra ? null : [h("b", {}, unit), " "], h("span", { class: "concept" }, name ? words(name[0]) : "–")),
      h("span", { class: "score" }, name && name[2] !== null ? number(name[2]) : "")));
}

function copyable(text, label) {
  const button = h("button", { type: "button", onclick: async () => {
    try { await navigator.clipboard.writeText(text()); }
    catch { const box = h("textarea", {}, text()); document.body.append(box); box.select(); document.execCommand("copy"); box.remove(); }
    say(`${label} copied`); button.textContent = "copied"; setTimeout(() => { button.textContent = label; }, 1200);
  } }, label);
  return button;
}

function say(text) { document.getElementById("said").textContent = text; }

const keyed = (key) => state.keys ? { title: `key ${key}`, "aria-keyshortcuts": key } : {};

function modes(place, redraw) {
  const known = ["plain", ...(place.layer.map ? ["lit"] : []), ...(place.layer.field ? ["boxed"] : [])];
  if (known.length < 2) return null;
  return h("span", { class: "modes", role: "group", "aria-label": "How images are shown" }, known.map((mode, k) => h("button",
    { type: "button", "data-mode": mode, "aria-pressed": String(state.mode === mode), ...keyed(String(k + 1)), onclick: (event) => {
      state.mode = mode;
      for (const one of event.target.parentNode.children) one.setAttribute("aria-pressed", String(one === event.target));
      redraw();
    } }, mode)));
}

function isPinned(parts) { return pins().some((one) => one.join("/") === parts.join("/")); }

function pinButton(parts) {
  const on = isPinned(parts);
  return h("button", { type: "button", id: "pin", "aria-pressed": String(on), ...keyed("p"), onclick: () => {
    const list = on ? pins().filter((one) => one.join("/") !== parts.join("/")) : [...pins(), parts];
    location.hash = link(address().parts, { pins: pinText(list) });
  } }, on ? "unpin" : "pin");
}

function path(...parts) {
  return h("nav", { class: "path", "aria-label": "Where this is" }, h("a", { href: link([""]) }, "Networks"),
    parts.map(([text, href, net]) => [" / ", net ? dot(net) : null, href ? h("a", { href }, text) : text]));
}

function page(title, ...content) {
  document.title = `${title} · ${study.title} · Microscope`;
  const heading = h("h1", { tabindex: "-1" }, title);
  main.replaceChildren(...content.map((one) => one === heading_here ? heading : one).flat(9).filter(Boolean));
  if (!main.querySelector("h1")) main.prepend(heading);
  const pinned = document.getElementById("pinned"), n = pins().length;
  pinned.textContent = n ? `Pins (${n})` : "Pins";
  pinned.href = link(["", "pins"]);
  say(title);
  return heading;
}
const heading_here = Symbol("heading");

// ---- views

function homeView() {
  page(study.title, heading_here, h("p", {}, `Every unit of ${plural(study.networks.length, "network")}: ` +
    `${plural(study.places.reduce((sum, [n, l]) => sum + placeOf(n, l).layer.units, 0), "unit")} in ${plural(study.places.length, "layer")}, ` +
    `looked at on ${plural(study.images.ids.length, "image")}. Choose a layer, or search.`),
  h("div", { class: "networks" }, study.networks.map((net) => h("section", { class: "network", style: tone(net) }, h("h2", {}, `${net.name} network`),
    table(["layer", "units", "sees", "named"], net.layers.map((layer) => [h("a", { href: link([net.name, layer.name]) }, layer.name), layer.units,
      layer.field ? `${side(layer.field)} px` : "all", layer.names.filter(Boolean).length]))))),
  conceptList());
}

function conceptUnits() {
  if (!conceptUnits.known) {
    const found = new Map();
    for (const [n, l] of study.places) {
      const place = placeOf(n, l);
      place.layer.names.forEach((name, unit) => {
        if (!name) return;
        if (!found.has(name[0])) found.set(name[0], []);
        found.get(name[0]).push({ place, unit, type: name[1], score: name[2] });
      });
    }
    conceptUnits.known = found;
  }
  return conceptUnits.known;
}

function conceptList() {
  const rows = [...conceptUnits()].sort((a, b) => b[1].length - a[1].length).slice(0, 40);
  if (!rows.length) return null;
  return [h("h2", {}, "Concepts, by the number of units that they name"), bars(rows.map(([name, units]) => ({
    what: words(name), href: link(["", "concept", name]), share: units.length, amount: plural(units.length, "unit") })))];
}

async function unitView(place, unit) {
  const data = await layerData(place), one = data.units[unit];
  if (!one) return missing(`${place.layer.name} has units 0 to ${place.layer.units - 1}.`);
  const { net, layer } = place, name = `${layer.name}:${unit}`, at = [net.name, layer.name, String(unit)];
  const step = (to, text, key, rel) => h("a", { class: "step", rel, title: key, href: unitLink(net.name, layer.name, Math.min(Math.max(to, 0), layer.units - 1)),
    "aria-disabled": to < 0 || to >= layer.units ? "true" : null }, text);
  const maps = mapsOf(one);
  const tops = h("div", { class: "tiles" });
  const rest = h("div", { class: "tiles small" }), low = h("div", { class: "tiles small" });
  const redraw = () => {
    const mode = state.mode === "lit" && !maps ? "plain" : state.mode;
    tops.replaceChildren(...one.top.map((shown, k) => tile(place, one, shown, k, mode, maps)));
    rest.replaceChildren(...one.middle.map((shown, k) => tile(place, one, shown, one.top.length + k, mode, maps)));
    low.replaceChildren(...one.lowest.map((shown) => tile(place, one, shown, null, mode, maps)));
  };
  redraw();
  const label = one.labels[0];
  const code = `import scenelens as sl\nstudy = sl.open_study(${JSON.stringify(study.open)})\n` +
    `study.index(${JSON.stringify(net.name)}).top_images(${JSON.stringify(layer.name)}, ${unit}, ${one.top.length})`;
  const cite = `Unit ${name} of the ${net.name} network (weights ${net.weights.slice(0, 12)}), study "${study.title}", ` +
    `${study.made.images} images; scenelens ${study.made.versions.scenelens}, ${study.made.date}. ` +
    "After Zhou, Khosla, Lapedriza, Oliva, Torralba: Object Detectors Emerge in Deep Scene CNNs, ICLR 2015.";
  page(`${name} of the ${net.name} network`,
    path([`${net.name} network`, link([""]), net], [layer.name, link([net.name, layer.name])], [String(unit)]),
    h("div", { class: "head" }, h("h1", { tabindex: "-1" }, name, h("span", { class: "unseen" }, ` of the ${net.name} network`)),
      label ? h("span", { class: "name" }, h("a", { href: link(["", "concept", label.concept]) }, called(label))) : h("span", { class: "name soft" }, "no label"),
      label ? h("span", { class: "soft" }, label.type) : null),
    h("div", { class: "tools" }, step(unit - 1, "← before", "left key", "prev"), step(unit + 1, "next →", "right key", "next"), modes(place, redraw),
      pinButton(at), copyable(() => location.href, "link")),
    one.spread.low === one.spread.high ? h("p", { class: "note" }, "This unit responds equally to all images, so their order says nothing.") : null,
    h("div", { class: "columns" },
      h("div", {}, h("h2", {}, `The ${one.top.length} images with the highest peaks`), tops,
        layer.map ? h("p", { class: "soft" }, h("small", {}, one.threshold === null ? "lit: above half of the unit's highest peak. " : "lit: above the unit's threshold. ",
          layer.field ? `boxed: the ${side(layer.field)} px that the unit can see where it peaks.` : "")) : null,
        h("h2", {}, "From the middle of the order"), rest, h("h2", {}, "With the lowest peaks"), low),
      h("div", {}, labelPart(one), h("h2", {}, "Responses"), histogram(one),
        categoryPart(one), fieldPart(place, one), similarPart(net, one), effectPart(one), weightPart(net, one),
        h("h2", {}, "Line of code ", copyable(() => code, "copy")), h("pre", {}, code),
        h("h2", {}, "Citation ", copyable(() => cite, "copy")), h("pre", {}, cite))));
}

function labelPart(one) {
  if (!one.labels.length) return [h("h2", {}, "Labels"), h("p", { class: "soft" }, "No source names this unit.")];
  const source = (row) => row.by ? `automatic, by ${row.by === "iou" ? "IoU" : "AP"}` : row.who;
  return [h("h2", {}, "Labels"), table(["source", "name", "type", "score", "same name", "precision"], one.labels.map((row) => [h("span", { class: "brief" }, source(row)),
    h("a", { class: "brief", href: link(["", "concept", row.concept]) }, called(row)), row.type,
    row.score === undefined ? "" : [number(row.score), row.chance ? h("small", {}, ` (chance ${number(row.chance)})`) : null],
    row.same_name === undefined ? "" : percent(row.same_name),
    row.precision === undefined ? "" : [percent(row.precision), h("small", {}, ` ${between(row.low, row.high)}, n = ${row.n}`)]])),
  one.disagree ? h("p", { class: "note" }, "The sources disagree about this unit.") : null,
  h("p", { class: "soft" }, h("small", {}, "Scores are of images that did not choose the name; same name: the share of halves of the images that choose it. " +
    "Precision: the share of top images that fit, with its 95% interval. An image fits a person's name where the person did not " +
    "mark it as wrong, and an automatic name where more than half of the area above the threshold lies on the concept."))];
}

function categoryPart(one) {
  if (!one.categories.length || study.images.categories.length < 2) return null;
  const n = one.counted;
  return [h("h2", {}, `Categories of the ${n} top images`), bars(one.categories.map(([k, count, low, high, chance]) => ({
    what: words(study.images.categories[k]) || "none", share: count / n, low, high, chance, amount: `${percent(count / n)} ${between(low, high)}` }))),
  h("p", { class: "soft" }, h("small", {}, "The thin line is the 95% interval, the mark the category's share of all images."))];
}

function fieldPart(place, one) {
  const { layer } = place, field = one.field;
  if (!layer.map) return null;
  const head = h("h2", {}, "Receptive field");
  if (!field || !field.map) return [head, h("p", { class: "soft" }, h("small", {}, layer.field ? `It could see ${side(layer.field)} px at most. ` : "", field && field.reason ? `Not measured: ${field.reason}` : "What it uses was not measured: the command scenelens atlas does it."))];
  const values = bytes(field.map), n = field.side, canvas = h("canvas", { class: "field", width: n, height: n, role: "img",
    "aria-label": `Measured receptive field, ${number(field.size)} px, within the ${number(field.box)} px that the unit could see` });
  const context = canvas.getContext("2d"), image = context.createImageData(n, n);
  values.forEach((value, k) => {
    const heat = value / 255;
    image.data[4 * k] = 255 * Math.min(1, 1.7 * heat); image.data[4 * k + 1] = 255 * Math.max(0, Math.min(1, 1.8 * heat - .6));
    image.data[4 * k + 2] = 255 * Math.max(.12 * (1 - heat), 2.5 * heat - 1.6); image.data[4 * k + 3] = 255;
  });
  context.putImageData(image, 0, 0);
  const interval = field.interval.every((end) => end !== null) ? ` (95% interval ${number(field.interval[0])}–${number(field.interval[1])})` : "";
  return [head, canvas, h("p", { class: "soft" }, h("small", {}, `The unit uses ${number(field.size)} px${interval}, measured by occlusion on ${plural(field.images, "image")}; the box is the ${number(field.box)} px that it could see.`))];
}

function similarPart(net, one) {
  if (!one.similar.length) return null;
  const names = [...new Set(one.similar.map((row) => row[0]))];
  return [h("h2", {}, "Units that respond to the same images"), h("div", { class: "beside" }, names.map((name) => h("div", {}, h("h3", {}, name === net.name ? "in this network" : `in the ${name} network`),
    table(["unit", "r", "name"], one.similar.filter((row) => row[0] === name).map(([n, l, u, r]) => {
      const place = placeOf(n, l), label = place && named(place, u);
      return [place ? h("a", { href: unitLink(n, l, u) }, `${l}:${u}`) : `${l}:${u}`, r.toFixed(2), label ? h("span", { class: "brief" }, words(label[0])) : "–"];
    })))))];
}

function effectPart(one) {
  const cost = one.effect;
  if (!cost) return null;
  return [h("h2", {}, "Without this unit"), table(["what falls", "by", "images"], [
    [`log-probability of ${words(cost.most_of)}, the most of all categories`, number(cost.most), ""],
    cost.category ? [`log-probability of ${words(cost.category)}, to which its label points`, number(cost.own), cost.own_n] : null,
    cost.category ? [`accuracy on ${words(cost.category)}`, points(cost.accuracy), cost.own_n] : null,
    ["accuracy on all images", points(cost.all), cost.n]].filter(Boolean))];
}
const points = (share) => share === null ? "–" : `${(100 * share).toFixed(1)} points`;

function weightPart(net, one) {
  if (!one.weights) return null;
  return [h("h2", {}, "Weights of the classes"), table(["class", "weight"], one.weights.map(([k, weight]) => [words(net.classes[k]), weight.toFixed(3)]))];
}

const SORTS = { unit: "number", score: "score", concept: "concept", same: "sureness of the name" };

function layerView(place, query) {
  const { net, layer } = place, grid = h("div", { class: "cards", style: { "--ratio": `${net.size[1]} / ${net.size[0]}` } });
  const count = h("span", { class: "soft", role: "status" });
  const text = h("input", { type: "search", value: dec(query.find || ""), placeholder: "concept, type, number" });
  const sort = h("select", {}, Object.entries(SORTS).map(([key, word]) => h("option", { value: key, selected: key === (query.sort || "unit") }, word)));
  const draw = () => {
    const wanted = text.value.trim().toLowerCase();
    const rows = layer.names.map((name, unit) => ({ name, unit })).filter(({ name, unit }) => !wanted || String(unit) === wanted ||
      (name && (name[0].toLowerCase().includes(wanted) || name[1].toLowerCase().includes(wanted))));
    const by = { unit: () => 0, score: (a, b) => value(b, 2) - value(a, 2), same: (a, b) => value(b, 3) - value(a, 3),
      concept: (a, b) => !a.name - !b.name || (a.name && a.name[0].localeCompare(b.name[0])) || value(b, 2) - value(a, 2) };
    rows.sort((a, b) => by[sort.value](a, b) || a.unit - b.unit);
    grid.replaceChildren(...rows.map(({ unit }) => card(place, unit)));
    count.textContent = plural(rows.length, "unit");
    history.replaceState(null, "", link([net.name, layer.name], { find: text.value.trim(), sort: sort.value === "unit" ? "" : sort.value }));
  };
  const value = (row, k) => row.name && row.name[k] !== null ? row.name[k] : -1;
  text.addEventListener("input", draw);
  sort.addEventListener("change", draw);
  const groups = new Map();
  for (const name of layer.names) if (name) groups.set(name[0], (groups.get(name[0]) || 0) + 1);
  const most = [...groups].sort((a, b) => b[1] - a[1]).slice(0, 16);
  page(`${layer.name} of the ${net.name} network`, path([`${net.name} network`, link([""]), net], [layer.name]), heading_here,
    h("p", { class: "soft" }, `${plural(layer.units, "unit")}${layer.map ? `, maps of ${layer.map.join(" × ")} positions` : ", one number each"}` +
      `${layer.field ? `, each sees ${side(layer.field)} px of ${net.size[0]}` : ""}. ${plural(layer.names.filter(Boolean).length, "unit")} have a name.`),
    h("div", { class: "tools" }, net.layers.map((one) => h("a", { class: "step", href: link([net.name, one.name]), "aria-current": one === layer ? "page" : null }, one.name))),
    most.length ? [h("h2", {}, "Units by concept"), h("div", { style: { "max-width": "46rem", ...tone(net) } }, bars(most.map(([name, n]) => ({
      what: words(name), href: link([net.name, layer.name], { find: name }), share: n, amount: plural(n, "unit") }))))] : null,
    h("div", { class: "filter" }, h("label", {}, "Show", text), h("label", {}, "Order", sort), count,
      h("a", { href: layer.file.split("/").map(enc).join("/").replace(/\.js$/, ".csv"), download: "" }, "CSV")), grid);
  draw();
}

function conceptView(name) {
  const units = conceptUnits().get(name) || [], about = study.concepts[name];
  if (!units.length && !about) return missing(`No unit and no annotation is called ${name}.`);
  const places = study.places.map(([n, l]) => placeOf(n, l));
  const counts = places.map((place) => [place, units.filter((one) => one.place.layer === place.layer)]).filter(([, own]) => own.length);
  page(words(name), path(["Concept"]), heading_here,
    about ? h("p", {}, `On ${plural(about.images, "annotated image")} of scenes (${percent(about.share)} of those whose annotators name it), ${plural(about.instances, "instance")}` +
      `${about.area ? `, ${percent(about.area)} of the image where it is shown` : ""}.`) : null,
    about && about.categories.length ? [h("p", {}, `The best single sign of ${plural(about.categories.length, "category").replace("categorys", "categories")}:`),
      table(["category", "average precision", "chance"], about.categories.map(([one, ap, chance]) => [words(one), number(ap), number(chance)]))]
      : about ? h("p", { class: "soft" }, "It is the best single sign of no scene category.") : null,
    units.length ? h("h2", {}, `${plural(units.length, "unit")} of this name`) : h("p", { class: "soft" }, "No unit has this name."),
    units.length ? bars(counts.map(([place, own]) => ({ what: `${place.net.name} ${place.layer.name}`, href: link([place.net.name, place.layer.name], { find: name }),
      share: own.length / place.layer.units, amount: `${own.length} of ${place.layer.units}` }))) : null,
    counts.map(([place, own]) => [h("h3", {}, dot(place.net), `${place.net.name} network, ${place.layer.name}`),
      h("div", { class: "cards" }, own.sort((a, b) => b.score - a.score).map((one) => card(place, one.unit, true)))]));
}

async function imageView(id, query) {
  const row = study.images.ids.indexOf(id);
  if (row < 0) return missing(`There is no image ${id}.`);
  const data = await load(`data/images-${Math.floor(row / study.block)}.js`), k = row % study.block;
  const places = study.places.map(([n, l]) => placeOf(n, l));
  const first = Math.max(0, places.findLastIndex((place) => place.net === places[0].net && place.layer.field));
  const chosen = query.layer ? places.findIndex((place) => `${place.net.name}/${place.layer.name}` === dec(query.layer)) : first;
  const place = places[chosen] || places[first], units = data.units[places.indexOf(place)][k] || [];
  const view = hasImage(place.net, row)
    ? h("div", { class: "view big" }, picture(place.net, row, words(categoryOf(row)) || id), units.map(([unit, , r, c]) => boxElement(place, r, c, String(unit))))
    : h("p", { class: "soft" }, "No unit is shown with this image, so it is not in the folder.");
  page(id, path(["Image"]), heading_here,
    h("p", { class: "soft" }, [words(categoryOf(row)), study.images.sources[study.images.source[row]]].filter(Boolean).join(" · ")),
    h("div", { class: "columns" }, h("div", {}, view, h("p", { class: "soft" }, h("small", {}, place.layer.field ?
      `Drawn: what the units of ${place.layer.name} of the ${place.net.name} network that respond most can see where they peak.` : `Units of ${place.layer.name} have no place in the image.`))),
    h("div", {}, h("h2", {}, "Units that respond most"), h("p", { class: "soft" }, h("small", {}, "Ordered by the share of images to which the unit responds less.")),
      places.map((one, n) => {
        const own = data.units[n][k] || [];
        return [h("h3", {}, dot(one.net), h("a", { href: link(["", "image", id], { layer: `${one.net.name}/${one.layer.name}` }), "aria-current": one === place ? "true" : null },
          `${one.net.name} ${one.layer.name}`)), own.length ? table(["unit", "name", "peak", "above"], own.map(([unit, peak, , , below]) => [
          h("a", { href: unitLink(one.net.name, one.layer.name, unit) }, `${one.layer.name}:${unit}`), words((named(one, unit) || ["–"])[0]), number(peak), `${(100 * below).toFixed(1)}%`]))
          : h("p", { class: "soft" }, "No unit responds.")];
      }))));
}

function searchView(text) {
  const wanted = text.trim().toLowerCase(), has = (one) => one.toLowerCase().includes(wanted);
  if (!wanted) { page("Search", heading_here, h("p", {}, "Type a unit such as pool5:67, a concept, a category or an image.")); return; }
  const units = [], [layerWord, unitWord] = wanted.split(/[:/](?=\d+$)/);
  for (const [n, l] of study.places) {
    const place = placeOf(n, l);
    if (unitWord !== undefined && `${n}/${l}`.toLowerCase().endsWith(layerWord) && Number(unitWord) < place.layer.units) units.push({ place, unit: Number(unitWord) });
  }
  const layers = study.places.filter(([n, l]) => has(`${n} ${l}`) || has(`${n}/${l}`));
  const concepts = [...new Set([...conceptUnits().keys(), ...Object.keys(study.concepts)])].filter((one) => has(one) || has(words(one)));
  concepts.sort((a, b) => !a.toLowerCase().startsWith(wanted) - !b.toLowerCase().startsWith(wanted) || (conceptUnits().get(b) || []).length - (conceptUnits().get(a) || []).length);
  const named = concepts.slice(0, 12).flatMap((one) => conceptUnits().get(one) || []).sort((a, b) => b.score - a.score);
  const images = [];
  study.images.ids.forEach((id, row) => { if (images.length < 200 && (has(id) || has(categoryOf(row)) || has(words(categoryOf(row))))) images.push(row); });
  const tileOf = (row) => {
    const net = study.networks.find((one) => hasImage(one, row));
    return net ? picture(net, row, words(categoryOf(row))) : absent();
  };
  const classes = study.networks.flatMap((net) => net.classes.map((one) => [net, one])).filter(([, one]) => has(one) || has(words(one)));
  const empty = !units.length && !layers.length && !concepts.length && !images.length && !classes.length;
  page(`Search: ${text}`, heading_here, empty ? h("p", {}, "Nothing is called so.") : null,
    units.length ? [h("h2", {}, "Units"), h("div", { class: "cards" }, units.map((one) => h("div", {}, h("small", { class: "soft" }, one.place.net.name), card(one.place, one.unit, true))))] : null,
    layers.length ? [h("h2", {}, "Layers"), h("p", {}, layers.map(([n, l]) => [h("a", { href: link([n, l]) }, `${n} ${l}`), " · "]))] : null,
    concepts.length ? [h("h2", {}, "Concepts"), bars(concepts.slice(0, 24).map((one) => ({ what: words(one), href: link(["", "concept", one]),
      share: (conceptUnits().get(one) || []).length, amount: plural((conceptUnits().get(one) || []).length, "unit") })))] : null,
    named.length ? [h("h2", {}, "Units of these names"), h("div", { class: "cards" }, named.slice(0, 60).map((one) => h("div", {}, h("small", { class: "soft" }, one.place.net.name), card(one.place, one.unit, true)))),
      named.length > 60 ? h("p", { class: "soft" }, `and ${named.length - 60} others`) : null] : null,
    classes.length ? [h("h2", {}, "Classes"), h("p", {}, classes.slice(0, 40).map(([net, one]) => `${words(one)} (${net.name} network)`).join(" · "))] : null,
    images.length ? [h("h2", {}, `Images${images.length >= 200 ? ", the first 200" : ""}`), h("div", { class: "tiles" }, images.slice(0, 200).map((row) => h("figure", { class: "tile" },
      h("a", { class: "view", href: link(["", "image", study.images.ids[row]]) }, tileOf(row)),
      h("figcaption", { title: study.images.ids[row] }, study.images.ids[row].split("/").pop()))))] : null);
}

async function pinsView() {
  const list = pins();
  if (!list.length) { page("Pins", heading_here, h("p", {}, "Pin units to compare them, with the button on a unit's page. The address then holds them, so that it can be sent to somebody who has this folder.")); return; }
  const columns = await Promise.all(list.map(async ([n, l, u]) => {
    const place = placeOf(n, l), one = place && (await layerData(place)).units[Number(u)];
    if (!one) return h("section", {}, h("p", { class: "problem" }, `${n}/${l}/${u} is not in this folder.`));
    const maps = mapsOf(one), mode = state.mode === "lit" && !maps ? "plain" : state.mode, label = one.labels[0];
    return h("section", {}, h("h2", {}, dot(place.net), h("a", { href: unitLink(n, l, u) }, `${n} ${l}:${u}`)),
      h("p", {}, label ? `${called(label)}, ${label.type}${label.score === undefined ? "" : `, ${number(label.score)}`}` : "no label", " ",
        h("button", { type: "button", onclick: () => { location.hash = link(["", "pins"], { pins: pinText(list.filter((other) => other.join("/") !== [n, l, u].join("/"))) }); } }, "unpin")),
      h("div", { class: "tiles" }, one.top.slice(0, 12).map((shown, k) => tile(place, one, shown, k, mode, maps))), h("div", { style: tone(place.net) }, histogram(one)));
  }));
  const any = list.map(([n, l]) => placeOf(n, l)).find((place) => place && place.layer.map) || placeOf(...study.places[0]);
  page("Pins", heading_here, h("div", { class: "tools" }, modes(any, pinsView), copyable(() => location.href, "link"),
    h("button", { type: "button", onclick: () => { location.hash = link(["", "pins"], { pins: "" }); } }, "unpin all")), h("div", { class: "pair" }, columns));
}

function aboutView() {
  const made = study.made;
  page("About", heading_here, h("p", {}, "Every unit of a study's networks, made with one command and opened from disk. These pages ask nothing of any network."),
    h("h2", {}, "Where the numbers come from"), facts([["study", made.study], ["images", `${made.images.toLocaleString("en")}, of which ${made.skipped} could not be read`],
      ...study.networks.map((net) => [`weights of the ${net.name} network`, h("span", { class: "hash" }, net.weights, net.licence ? h("small", {}, ` (${net.licence})`) : null)]),
      ["command", h("code", {}, made.command || "scenelens.microscope.write_microscope")], ["date", made.date],
      ["versions", Object.entries(made.versions).map(([name, one]) => `${name} ${one}`).join(", ")], ["size", `${(made.bytes / 1e6).toFixed(1)} MB, made in ${made.seconds} s`], ["licences", made.licences]]),
    h("h2", {}, "Keys"), table(["key", "what it does"], [["← →", "the unit before, the next unit"], ["1 2 3", "plain, lit, boxed"], ["p", "pin or unpin the unit"], ["/", "search"]]),
    h("p", {}, h("label", { class: "choice" }, h("input", { type: "checkbox", id: "keys", checked: state.keys, onchange: (event) => { stored("keys", event.target.checked ? "on" : "off"); setKeys(event.target.checked); } }),
      " Single keys work: 1, 2, 3, p and /")),
    p("Turn them off if you speak to your computer, or press keys unawares. The browser remembers it for these pages."),
    h("h2", {}, "Words"), p("A unit is one channel of a layer, written pool5:67. Its peak is its highest response on an image. Its threshold is the response that it exceeds at few positions of all images; " +
      "IoU is how well the pixels above it cover those of an annotated concept. Section 3 of the paper looks at units in this way."));
}
const p = (text) => h("p", {}, text);

function missing(text) { page("Not here", heading_here, h("p", { class: "problem" }, text), h("p", {}, h("a", { href: link([""]) }, "All networks"))); }

// ---- which view

let turn = 0;
async function show() {
  const own = ++turn, { parts, query } = address();
  try {
    if (parts[0] === "" && parts.length > 1) {
      const rest = parts.slice(2).join("/");
      const views = { concept: () => conceptView(rest), image: () => imageView(rest, query), search: () => searchView(rest), about: aboutView, pins: pinsView };
      await (Object.hasOwn(views, parts[1]) ? views[parts[1]]() : missing("There is no such page."));
    } else if (parts.length > 1) {
      const place = placeOf(parts[0], parts[1]);
      if (!place) missing(`There is no layer ${parts[0]}/${parts[1]} in this folder.`);
      else if (parts.length === 2) layerView(place, query);
      else if (/^\d+$/.test(parts[2])) await unitView(place, Number(parts[2]));
      else missing(`A unit is a number, not ${parts[2]}.`);
    } else homeView();
  } catch (error) {
    if (own !== turn) return;
    missing(error.message);
  }
  if (own !== turn) { show(); return; }
  if (document.activeElement !== find) {
    find.value = parts[1] === "search" && parts[0] === "" ? parts.slice(2).join("/") : "";
    main.querySelector("h1")?.focus({ preventScroll: true });
  }
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  const steps = { ArrowLeft: "a[rel=prev]", ArrowRight: "a[rel=next]" };
  if (event.key in steps) {
    if (event.shiftKey || event.target.closest("[role=region]")) return;  // these select text, and scroll a wide table
    const to = main.querySelector(steps[event.key]);
    // The link may be older than the last pin, which is in the address already.
    if (to && !to.hasAttribute("aria-disabled")) { event.preventDefault(); location.hash = link(address(to.getAttribute("href")).parts); }
  } else if (!state.keys) return;  // by the rules for accessible pages (WCAG 2.1.4) a single character can be turned off
  else if (event.key === "/") { event.preventDefault(); find.focus(); }
  else if (event.key === "p") main.querySelector("#pin")?.click();
  else if (/^[123]$/.test(event.key)) main.querySelectorAll(".modes button")[Number(event.key) - 1]?.click();
}

function theme(chosen) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const now = chosen || (dark.matches ? "dark" : "light");
  document.documentElement.dataset.theme = now;
  state.theme = now;
}

function stored(name, value) {  // a browser may refuse to keep anything for a page from disk
  try { if (value === undefined) return localStorage.getItem(`scenelens-${name}`) || ""; localStorage.setItem(`scenelens-${name}`, value); } catch { /* then a choice lasts as long as the page */ }
  return "";
}

function setKeys(on) {
  state.keys = on;
  if (on) find.setAttribute("aria-keyshortcuts", "/"); else find.removeAttribute("aria-keyshortcuts");
}

theme(stored("theme"));
setKeys(stored("keys") !== "off");
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => theme(stored("theme")));
document.getElementById("theme").addEventListener("click", () => { const next = state.theme === "dark" ? "light" : "dark"; stored("theme", next); theme(next); });
document.addEventListener("keydown", keys);
let typing = 0;
find.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    const to = link(["", "search", find.value]);
    // One entry of the history for a search, not one for each of its letters.
    if (address().parts[1] === "search") { history.replaceState(null, "", to); show(); } else location.hash = to;
  }, 150);
});
find.addEventListener("keydown", (event) => { if (event.key === "Enter") main.querySelector("h1")?.focus(); });
window.addEventListener("hashchange", () => { if (study) { show(); if (document.activeElement !== find) window.scrollTo(0, 0); } });

load("data/study.js").then((value) => {
  study = value;
  document.getElementById("title").textContent = study.title;
  return show();
}).catch((error) => main.replaceChildren(h("p", { class: "problem" }, error.message)));
})();
