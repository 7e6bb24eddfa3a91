// Says so when htmx gets no answer or an error, and never puts a login page into a fragment.
(() => {
  const note = document.getElementById("connection");

  function say(text) {
    note.textContent = text;
    note.hidden = !text;
  }

  document.addEventListener("htmx:sendError", () => say(note.dataset.lost));
  document.addEventListener("htmx:responseError", () => say(note.dataset.error));
  document.addEventListener("htmx:afterOnLoad", () => say(""));
  document.addEventListener("htmx:beforeSwap", (event) => {
    const login = document.body.dataset.login;
    const url = event.detail.xhr.responseURL;
    if (!login || !url || new URL(url).pathname !== login) return;
    event.detail.shouldSwap = false;
    location.reload(); // the session ended: the login page, and back here after it
  });
})();
