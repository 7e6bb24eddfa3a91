// How a reader wants to see graphs: smoothing, axes, hidden curves. Remembered per project; on a page whose address
// restores everything also in the address. Without localStorage it is forgotten, and no more happens.
(() => {
  const START = { smooth: false, weight: 0.6, x: "step", log: [], hide: [], zoom: [] };
  const REMEMBERED = ["smooth", "weight", "x", "log"]; // hidden curves and zoom belong to a page
  const LISTS = ["log", "hide", "zoom"];

  class View {
    constructor(root) {
      this.key = `trainportal.graphs.${root.dataset.chartProject}`;
      this.inAddress = root.dataset.chartAddress === "true";
      this.listeners = [];
      this.state = { ...structuredClone(START), ...this.remembered(), ...(this.inAddress ? this.fromAddress() : {}) };
      if (this.inAddress) this.keepInLinks();
    }

    get(name) {
      return this.state[name];
    }

    set(name, value) {
      this.state[name] = value;
      this.save();
      for (const listener of this.listeners) listener(name);
    }

    toggle(name, entry, on) { // an entry of a list
      const rest = this.state[name].filter((other) => other !== entry);
      this.set(name, on ? [...rest, entry] : rest);
    }

    onChange(listener) {
      this.listeners.push(listener);
    }

    remembered() {
      try {
        const found = JSON.parse(localStorage.getItem(this.key) ?? "{}");
        return Object.fromEntries(REMEMBERED.filter((name) => typeof found[name] === typeof START[name] &&
          Array.isArray(found[name]) === Array.isArray(START[name])).map((name) => [name, found[name]]));
      } catch {
        return {};
      }
    }

    save() {
      try {
        localStorage.setItem(this.key, JSON.stringify(Object.fromEntries(REMEMBERED.map((name) => [name, this.state[name]]))));
      } catch { /* no storage: the page works without */ }
      if (this.inAddress) history.replaceState(history.state, "", this.addressOf(location.href));
    }

    // --- the address ----------------------------------------------------------------------------------------------
    fromAddress() {
      const given = new URLSearchParams(location.search);
      if (!["smooth", "x", ...LISTS].some((name) => given.has(name))) return {};
      const weight = Number(given.get("smooth"));
      const found = { smooth: weight > 0 && weight < 1, x: given.get("x") === "time" ? "time" : "step" };
      if (found.smooth) found.weight = weight;
      for (const name of LISTS) found[name] = given.getAll(name);
      return found;
    }

    addressOf(href) {
      const url = new URL(href, location.href);
      const { smooth, weight, x } = this.state;
      for (const name of ["smooth", "x", ...LISTS]) url.searchParams.delete(name);
      if (smooth) url.searchParams.set("smooth", weight);
      if (x !== "step") url.searchParams.set("x", x);
      for (const name of LISTS) for (const entry of this.state[name]) url.searchParams.append(name, entry);
      return url.href;
    }

    keepInLinks() { // what the server wrote knows nothing of what was changed since
      document.addEventListener("click", (event) => {
        const link = event.target.closest("a[data-keep-view]");
        if (link) link.href = this.addressOf(link.href);
      }, true);
      document.addEventListener("submit", (event) => {
        if (!event.target.matches("form[data-keep-view]")) return;
        for (const old of event.target.querySelectorAll("[data-view-kept]")) old.remove();
        for (const [name, value] of new URL(this.addressOf(location.pathname)).searchParams) {
          const input = Object.assign(document.createElement("input"), { type: "hidden", name, value });
          input.dataset.viewKept = "";
          event.target.append(input);
        }
      }, true);
    }
  }

  Object.assign(window.Graphs, { View });
})();
