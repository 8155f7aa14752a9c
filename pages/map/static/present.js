// Full screen, and presenting: large type, and keys for the resolution (arrows), the models (1 to 7) and a journey from
// fine to coarse and back (space).
(() => {
  "use strict";

  const { page } = scinetStage;
  const BEAT_MS = 1100;         // how long each step of the journey is shown
  const COARSEST = /^100 cm/;   // where it turns back
  const FULL = '<svg viewBox="0 0 16 16" width="13" height="13" fill="none" stroke="currentColor" stroke-width="2">' +
    '<path d="M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4"/></svg>';
  let journey = null;
  let only = null;              // the cell that is shown large, in a grid; or the right side, of two
  let draw = null;

  const isPresenting = () => page.body.classList.contains("sn-presenting");

  function enter(presenting) {
    page.body.classList.add("sn-stage");
    page.body.classList.toggle("sn-presenting", presenting);
    document.body.classList.toggle("presenting", presenting);
    page.documentElement.requestFullscreen?.().catch(() => {});   // the page's own width will do
    parent.scrollTo(0, 0);
  }

  function leave() {
    stop();
    only = null;
    page.body.classList.remove("sn-stage", "sn-presenting");
    document.body.classList.remove("presenting");
    if (page.fullscreenElement) page.exitFullscreen();
    draw?.();
  }

  const toggle = (presenting) => page.body.classList.contains("sn-stage") ? leave() : enter(presenting);

  // ---- the journey

  function stop() {
    clearInterval(journey);
    journey = null;
  }

  function play() {
    if (journey) return stop();
    let key = "ArrowRight";
    journey = setInterval(() => {
      const { state } = scinetStage;
      if (!state || state.cells.some((cell) => cell.waits)) return;   // its masks are not there yet
      const isLast = COARSEST.test(state.step) || state.step === state.steps.at(-1);
      if (isLast) key = "ArrowLeft";
      else if (key === "ArrowLeft" && (state.step.endsWith("native") || state.step === state.steps[0])) return stop();
      scinetStage.move(key);
    }, BEAT_MS);
  }

  function choose(number) {
    only = only === number ? null : number;
    draw?.();
  }

  // What is drawn of a state: a chosen model alone instead of the grid, or on the right.
  function chosen(state) {
    const models = state.cells.flatMap(({ kind }, i) => kind === "model" ? [i] : []);
    const at = only && isPresenting() ? models[only - 1] : undefined;
    if (at === undefined) return state;
    if (state.compare === "all") return { ...state, cells: [state.cells[0], state.cells[at]] };
    return { ...state, sides: [state.sides[0], at] };
  }

  function key(event) {
    if (!page.body.classList.contains("sn-stage") || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") return leave();
    if (!isPresenting() || event.target.closest?.("input[type=text], textarea, [role=dialog], .swipe-handle")) return;
    const actions = { ArrowLeft: () => scinetStage.move("ArrowLeft"), ArrowRight: () => scinetStage.move("ArrowRight"), " ": play };
    const action = /^[1-9]$/.test(event.key) ? () => choose(Number(event.key)) : actions[event.key];
    if (!action || (event.target.matches?.("input[type=range]") && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  // The buttons, as a control of the map.
  const buttons = () => Object.assign(L.control({ position: "bottomright" }), {
    onAdd() {
      const bar = L.DomUtil.create("div", "leaflet-bar");
      for (const [name, sign, title] of [
        ["full", FULL, "Full screen"],
        ["present", "&#x25B6;", "Present: arrows change the resolution, 1 to 7 choose a model, space plays"],
      ]) {
        const a = L.DomUtil.create("a", name, bar);
        Object.assign(a, { href: "#", title, innerHTML: sign });
        a.setAttribute("role", "button");
        a.setAttribute("aria-label", title.split(":")[0]);
        L.DomEvent.on(a, "click", (e) => { L.DomEvent.preventDefault(e); toggle(name === "present"); });
      }
      L.DomEvent.disableClickPropagation(bar);
      return bar;
    },
  });

  for (const target of [page, document]) target.addEventListener("keydown", key, true);
  const whenFullScreenEnds = () => { if (!page.fullscreenElement && page.body.classList.contains("sn-stage")) leave(); };
  page.addEventListener("fullscreenchange", whenFullScreenEnds);
  addEventListener("pagehide", () => {
    page.removeEventListener("keydown", key, true);
    page.removeEventListener("fullscreenchange", whenFullScreenEnds);
    page.body.classList.remove("sn-stage", "sn-presenting");
  });

  window.scinetPresent = { buttons, chosen, onChange: (redraw) => { draw = redraw; } };
})();
