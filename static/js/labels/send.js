// Changes go to the server one after the other, each with the version of the labels that the last answer gave. The
// answer is the panel anew; who draws hears "labels:shown" with what was sent and whether it was done.
(() => {
  const labels = window.Labels;
  if (!labels) return;
  const panel = () => document.getElementById("label-panel");
  const waiting = [];
  const KEPT_ALIVE = 60_000; // bytes that a browser still sends when the page goes
  let busy = false;

  async function post(fields) {
    const { url, version } = panel().dataset;
    const body = new URLSearchParams({ ...fields, seen: version }).toString();
    const headers = { ...JSON.parse(document.body.getAttribute("hx-headers")), "HX-Request": "true", "Content-Type": "application/x-www-form-urlencoded" };
    const answer = await fetch(url, { method: "POST", body, headers, keepalive: body.length < KEPT_ALIVE });
    return { done: answer.ok, fine: !answer.redirected && [200, 422].includes(answer.status), text: await answer.text() };
  }

  function swap(text) {
    const made = document.createElement("template");
    made.innerHTML = text;
    const focused = panel().contains(document.activeElement) ? document.activeElement.id : "";
    const scrolled = panel().querySelector(".label-list")?.scrollTop || 0;
    panel().replaceWith(made.content.querySelector("#label-panel"));
    panel().querySelector(".label-list")?.scrollTo(0, scrolled);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  function say(word) {
    const note = panel().querySelector("[data-label-note]");
    note.hidden = false;
    note.querySelector("[data-label-note-text]").textContent = note.dataset[word];
    note.querySelector("[data-label-retry]").hidden = word !== "lost";
  }

  async function run() {
    if (busy) return;
    busy = true;
    while (waiting.length) {
      const [fields] = waiting;
      const answer = await post(fields).catch(() => null);
      if (!answer?.fine) {
        say(answer ? "refused" : "lost"); // what waits is kept for another try
        break;
      }
      waiting.shift();
      if (!answer.done) waiting.length = 0; // made for labels that are others now
      swap(answer.text);
      document.dispatchEvent(new CustomEvent("labels:shown", { detail: { fields, done: answer.done } }));
    }
    busy = false;
  }

  labels.send = (fields) => {
    waiting.push(fields);
    return run();
  };

  document.addEventListener("submit", (event) => {
    if (!event.target.closest("#label-panel")) return;
    event.preventDefault();
    document.dispatchEvent(new CustomEvent("labels:flush"));
    const { csrfmiddlewaretoken: _token, seen: _seen, ...fields } = Object.fromEntries(new FormData(event.target, event.submitter));
    labels.send(fields);
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-label-retry]")) run();
  });
  addEventListener("beforeunload", (event) => {
    if (waiting.length && !busy) event.preventDefault(); // something could not be saved
  });
})();
