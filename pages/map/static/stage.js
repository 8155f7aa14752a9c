// What links the map's frame to the page around it. Python puts the state of the map into an element of the page, which
// may change many times during one run, and further steps whose results are known into another. While the slider is
// dragged, its steps are shown from these, without the server.
(() => {
  "use strict";

  const page = parent.document;
  const MAX_FILES = 500;
  const REST_MS = 200;          // after which a step that is passed gets its outlines too
  const files = new Map();      // url -> promise of its content, so that maps and steps share it
  const pictures = new Map();   // url -> address of its copy in the browser
  const steps = new Map();      // a step's name -> its cells
  let stepsOf = null;           // what they depend on besides the step
  let show = null;              // draws a state
  let latest = null;            // the last state that Python has sent
  let shown = null;             // the one that is shown
  let texts = {};               // the elements' contents as they were read last
  let rest = 0;
  const listeners = [];

  function load(url) {
    if (!files.has(url)) {
      while (files.size > MAX_FILES) files.delete(files.keys().next().value);
      files.set(url, fetch(url).then((response) => response.json()));
    }
    return files.get(url);
  }

  const local = (url) => pictures.get(url) ?? url;

  // Python drops its files when they are replaced, so the browser copies what it may need again.
  async function keep(cells) {
    for (const { base, overlay, components, outcomes } of cells) {
      for (const url of [components, outcomes]) if (url) load(url).catch(() => files.delete(url));
      for (const { url } of [base, overlay].filter(Boolean)) {
        if (pictures.has(url) || url.startsWith("data:")) continue;
        pictures.set(url, url);
        try {
          const response = await fetch(url);
          if (response.ok) pictures.set(url, URL.createObjectURL(await response.blob()));
        } catch { pictures.delete(url); }
      }
    }
  }

  function remember(of, step, cells) {
    if (of !== stepsOf) {
      stepsOf = of;
      steps.clear();
      pictures.forEach((copy) => copy.startsWith("blob:") && setTimeout(() => URL.revokeObjectURL(copy), 5000));
      pictures.clear();
    }
    if (cells.some((cell) => cell.waits)) return;
    steps.set(step, cells);
    keep(cells);
  }

  // ---- what Python has put into the page

  function changed(name) {
    const text = page.querySelector(`.sn-map-${name}`)?.dataset[name];
    if (!text || text === texts[name]) return null;
    texts[name] = text;
    return JSON.parse(text);
  }

  // Streamlit keeps the frame of a former image, hidden, until its run has ended.
  const isFormer = () => Boolean(frameElement.closest("[data-retained]"));

  function read() {
    if (isFormer()) return;
    const state = changed("state");
    if (state) {
      latest = state;
      remember(state.of, state.step, state.cells);
      const at = slider()?.getAttribute("aria-valuetext");
      if (shown && at && at !== state.step && steps.has(at)) return;   // the slider has moved on
      draw(state, false);
    }
    const known = changed("known");
    if (!known) return;
    for (const [step, cells] of Object.entries(known.steps)) remember(known.of, step, cells);
    if (known.againMs) setTimeout(askForMore, known.againMs);
  }

  // The click reaches Streamlit, whose root is inside the body, but not the document, where open menus take any click
  // elsewhere as a reason to close.
  function askForMore() {
    const contain = (event) => event.stopPropagation();
    page.body.addEventListener("click", contain);
    page.querySelector(".st-key-more_steps button")?.click();
    page.body.removeEventListener("click", contain);
  }

  function draw(state, quickly) {
    shown = state;
    show(state, quickly);
    for (const listener of listeners) listener(state);
  }

  // ---- the slider

  const slider = () => page.querySelector(".st-key-gsd input[type=range]");

  function follow() {
    if (isFormer()) return;
    const step = slider()?.getAttribute("aria-valuetext");
    if (!latest || !step || step === shown?.step || !steps.has(step)) return;
    const state = { ...latest, step, cells: steps.get(step) };
    draw(state, true);
    clearTimeout(rest);
    rest = setTimeout(() => { if (shown === state) show(state, false); }, REST_MS);
  }

  // Move the slider as its own keys do.
  function move(key) {
    const input = slider();
    for (const type of ["keydown", "keyup"]) {
      input?.dispatchEvent(new parent.KeyboardEvent(type, { key, bubbles: true, cancelable: true }));
    }
  }

  // ----

  // A new image has a new map in the same frame.
  function attach(drawState) {
    if (!show) watch();
    show = drawState;
    texts = {};
    latest = shown = null;
    read();
  }

  function watch() {
    const observer = new MutationObserver(() => { read(); follow(); });
    observer.observe(page.body, {
      subtree: true, childList: true, attributes: true, attributeFilter: ["data-state", "data-known", "aria-valuetext"],
    });
    addEventListener("pagehide", () => observer.disconnect());
  }

  // The frame's height in px, or null for the one in the page's style sheet.
  function resize(height) {
    const { style } = frameElement;
    if (height) style.setProperty("height", `${Math.ceil(height)}px`, "important");
    else style.removeProperty("height");
  }

  window.scinetStage = {
    attach, load, local, resize, move, page,
    onShow: (listener) => listeners.push(listener),
    get state() { return shown; },
  };
})();
