// A POST form is sent once: its button is disabled after the press and says what it is doing (data-busy).
(() => {
  const sent = new Map();

  function release(form) {
    const found = sent.get(form);
    if (!found) return;
    sent.delete(form);
    found.button.disabled = false;
    found.button.replaceChildren(...found.content);
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const button = event.submitter;
    if (!button || form.method !== "post" || "submitMany" in form.dataset || "download" in button.dataset) return;
    if (sent.has(form)) {
      event.preventDefault();
      return;
    }
    sent.set(form, { button, content: [...button.childNodes] });
    setTimeout(() => { // after the browser has taken the button's own value
      button.disabled = true;
      if (button.dataset.busy) button.textContent = button.dataset.busy;
    });
  });
  document.addEventListener("htmx:afterRequest", (event) => release(event.target.closest?.("form")));
  addEventListener("pageshow", (event) => { // back from the next page
    if (event.persisted) for (const form of [...sent.keys()]) release(form);
  });
})();
