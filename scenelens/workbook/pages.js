/* What the pages do beyond being read: they enlarge figures, step through pictures of widgets, stop what moves,
   search, mark the section that is read, and copy a citation. Without this script all of the text and every
   figure is there. It asks nothing of any network. Texts reach the page as text, never as markup. */
"use strict";

(() => {
const all = (query, within = document) => [...within.querySelectorAll(query)];
function make(tag, about, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(about)) {
    if (name === "onclick") made.addEventListener("click", value); else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// ---- figures and pictures of widgets, enlarged

const figures = all("main figure[id], main .steps").filter((one) => one.querySelector("img"));
const seen = (figure) => figure.querySelector("img:not([hidden])");
let shown = -1;
let zoom = null;

function draw() {
  const figure = figures[shown], image = seen(figure).cloneNode();
  image.removeAttribute("id");
  const caption = figure.querySelector("figcaption, [role=status]");
  zoom.querySelector(".frame").replaceChildren(image);
  zoom.querySelector(".about").textContent = caption ? caption.textContent : "";
  zoom.querySelector(".before").disabled = shown === 0;
  zoom.querySelector(".after").disabled = shown === figures.length - 1;
  fit(zoom.classList.contains("large"));
}

/* Show the figure as large as the window, or large enough to be read; `at` is what then stands in the middle, as
   shares of its width and height. */
function fit(large, at = [0.5, 0.5]) {
  zoom.classList.toggle("large", large);
  const button = zoom.querySelector(".size"), frame = zoom.querySelector(".frame"), image = frame.querySelector("img");
  button.textContent = large ? "Fit" : "Larger";
  button.setAttribute("aria-pressed", String(large));
  frame.scrollTo({ left: at[0] * image.clientWidth - frame.clientWidth / 2, top: at[1] * image.clientHeight - frame.clientHeight / 2, behavior: "instant" });
}

function turn(step) {
  const next = shown + step;
  if (next >= 0 && next < figures.length) { shown = next; draw(); }
}

/* Where on an image somebody has clicked, as shares; its middle for a click beside it or by a key. */
function spot(event, image) {
  const box = image.getBoundingClientRect();
  const at = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  return at.every((share) => share >= 0 && share <= 1) ? at : [0.5, 0.5];
}

/* Let a mouse drag what a finger would scroll; a click that ends a drag is none. */
function letDrag(frame) {
  let from = null;
  frame.addEventListener("pointerdown", (event) => { if (event.pointerType === "mouse") from = [event.clientX + frame.scrollLeft, event.clientY + frame.scrollTop, false]; });
  frame.addEventListener("pointermove", (event) => {
    if (!from || !(event.buttons & 1)) return;
    const left = from[0] - event.clientX, top = from[1] - event.clientY;
    if (Math.abs(left - frame.scrollLeft) + Math.abs(top - frame.scrollTop) > 4) from[2] = true;
    frame.scrollTo({ left, top, behavior: "instant" });
  });
  frame.addEventListener("dragstart", (event) => event.preventDefault());
  return () => { const dragged = from && from[2]; from = null; return dragged; };
}

function open(place, at) {
  if (!zoom) {
    const frame = make("div", { class: "frame", tabindex: "0", role: "group", "aria-label": "The figure; it can be scrolled when it is larger than the window" });
    zoom = make("dialog", { class: "zoom", "aria-label": "Figure, enlarged" },
      make("div", { class: "tools" },
        make("button", { type: "button", class: "before", onclick: () => turn(-1) }, "Previous"),
        make("button", { type: "button", class: "after", onclick: () => turn(1) }, "Next"),
        make("button", { type: "button", class: "size", "aria-pressed": "false", onclick: () => fit(!zoom.classList.contains("large")) }, "Larger"),
        make("button", { type: "button", class: "close", onclick: () => zoom.close() }, "Close")),
      frame,
      make("p", { class: "about" }));
    const wasDragged = letDrag(frame);
    frame.addEventListener("click", (event) => { if (!wasDragged()) fit(!zoom.classList.contains("large"), spot(event, frame.querySelector("img"))); });
    zoom.addEventListener("keydown", (event) => {
      if (zoom.classList.contains("large")) return;
      if (event.key === "ArrowLeft") turn(-1);
      if (event.key === "ArrowRight") turn(1);
    });
    document.body.append(zoom);
  }
  shown = place;
  draw();
  zoom.showModal();
  // In a narrow window a figure that fits is as small as on the page.
  fit(matchMedia("(max-width: 48rem)").matches, at);
}

figures.forEach((figure, place) => {
  const label = figure.querySelector(".number");
  const name = label ? label.textContent.replace(/\.$/, "") : "the picture";
  for (const image of all("img", figure)) image.addEventListener("click", (event) => open(place, spot(event, image)));
  figure.classList.add("can-zoom");
  figure.append(make("button", { type: "button", class: "enlarge", "aria-label": `Enlarge ${name}`, onclick: () => open(place) }, "Enlarge"));
});

// ---- the moving picture: a reader can stop it

for (const figure of all(".moving")) {
  const still = figure.querySelector("source"), button = make("button", { type: "button", class: "stop" });
  const move = (moves) => {
    still.media = moves ? "not all" : "all";
    button.textContent = moves ? "Stop" : "Play";
  };
  button.addEventListener("click", () => move(button.textContent === "Play"));
  move(!matchMedia("(prefers-reduced-motion: reduce)").matches);
  figure.querySelector("picture").after(button);
}

// ---- widgets whose pictures were drawn in advance: sliders choose the one that is seen

for (const box of all(".steps")) {
  const pictures = all("img", box), sliders = all("input", box), said = box.querySelector("[role=status]");
  const look = () => {
    let place = 0;
    for (const slider of sliders) {
      const value = Number(slider.value), stop = JSON.parse(slider.dataset.stops)[value], axis = slider.closest(".axis");
      place = place * (Number(slider.max) + 1) + value;
      slider.setAttribute("aria-valuetext", stop);
      axis.querySelector(".value").textContent = stop;
      for (const arrow of all("button", axis)) arrow.disabled = arrow.value < 0 ? value === 0 : value === Number(slider.max);
    }
    pictures.forEach((picture, k) => { picture.hidden = k !== place; });
    if (said.textContent !== pictures[place].dataset.words) said.textContent = pictures[place].dataset.words;
  };
  for (const slider of sliders) {
    slider.closest(".axis").hidden = false;
    slider.addEventListener("input", look);
    for (const arrow of all("button", slider.closest(".axis"))) {
      arrow.addEventListener("click", () => {
        slider.value = Number(slider.value) + Number(arrow.value);
        look();
        if (arrow.disabled) slider.focus();
      });
    }
  }
  look();
}

// ---- the section that is read, in the contents

const entries = new Map();
for (const link of all(".contents a[href^='#']")) {
  const id = decodeURIComponent(link.getAttribute("href").slice(1));
  entries.set(id, [...(entries.get(id) || []), link]);
}
const headings = all("main h2[id], main h3[id]").filter((one) => entries.has(one.id));
if (headings.length) {
  let waiting = false;
  const mark = () => {
    waiting = false;
    const above = headings.filter((one) => one.getBoundingClientRect().top < 140).pop();
    for (const [id, links] of entries) for (const link of links) {
      if (above && id === above.id) link.setAttribute("aria-current", "location"); else link.removeAttribute("aria-current");
    }
  };
  addEventListener("scroll", () => { if (!waiting) { waiting = true; requestAnimationFrame(mark); } }, { passive: true });
  mark();
}
for (const menu of all("details.menu")) {
  menu.addEventListener("click", (event) => { if (event.target.closest("a")) menu.open = false; });
  menu.addEventListener("keydown", (event) => { if (event.key === "Escape") { menu.open = false; menu.querySelector("summary").focus(); } });
}

// ---- search: a form in every page, the results in search.html

const wanted = () => { try { return decodeURIComponent(location.hash.replace(/^#q=/, "")); } catch { return ""; } };
const results = document.getElementById("results");
for (const form of all("form.search")) {
  form.hidden = false;
  const field = form.querySelector("input");
  if (results) field.value = location.hash.startsWith("#q=") ? wanted() : "";
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const address = `#q=${encodeURIComponent(field.value)}`;
    if (results) location.hash = address; else location.href = `search.html${address}`;
  });
  if (results) field.addEventListener("input", () => { history.replaceState(null, "", `#q=${encodeURIComponent(field.value)}`); find(); });
}

function excerpt(text, words) {
  const low = text.toLowerCase();
  const at = Math.max(0, Math.min(...words.map((word) => low.indexOf(word)).filter((place) => place >= 0)));
  const from = Number.isFinite(at) ? Math.max(0, at - 70) : 0, part = text.slice(from, from + 240);
  const out = [from ? "… " : ""];
  let rest = part;
  while (rest) {
    const places = words.map((word) => [rest.toLowerCase().indexOf(word), word.length]).filter(([place]) => place >= 0).sort((a, b) => a[0] - b[0]);
    if (!places.length) { out.push(rest); break; }
    const [place, length] = places[0];
    out.push(rest.slice(0, place), make("mark", {}, rest.slice(place, place + length)));
    rest = rest.slice(place + length);
  }
  if (from + 240 < text.length) out.push(" …");
  return out;
}

const sections = results ? all("li", results).map((item) => {
  const text = item.querySelector("p").textContent, title = item.querySelector("a").textContent.toLowerCase();
  return { item, text, title, low: text.toLowerCase() };
}) : [];

function find() {
  const words = wanted().toLowerCase().split(/\s+/).filter(Boolean);
  const score = ({ title, low }) => words.reduce((sum, word) => sum + 100 * title.includes(word) + Math.min(9, low.split(word).length - 1), 0);
  const found = sections.filter(({ title, low }) => words.every((word) => title.includes(word) || low.includes(word)));
  if (words.length) found.sort((a, b) => score(b) - score(a));
  // The order of the page itself: it is also that of the keyboard and of a screen reader.
  results.replaceChildren(...found.map(({ item }) => item));
  for (const { item, text } of found) item.querySelector("p").replaceChildren(...(words.length ? excerpt(text, words) : [text]));
  const n = found.length;
  document.getElementById("found").textContent = !words.length ? `${n} sections. Write a word to find it.`
    : n ? `${n} section${n === 1 ? "" : "s"} with “${wanted()}”` : `No section has “${wanted()}”.`;
}
if (results) {
  addEventListener("hashchange", () => { for (const field of all("form.search input")) field.value = wanted(); find(); });
  find();
  document.querySelector("main form.search input")?.focus();
}

// ---- copy

for (const box of all(".cite pre")) {
  const button = make("button", { type: "button", class: "copy", onclick: async () => {
    try { await navigator.clipboard.writeText(box.textContent); button.textContent = "Copied"; }
    catch { getSelection().selectAllChildren(box); button.textContent = "Selected"; }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  } }, "Copy");
  box.after(button);
}
})();
