// A form[data-upload] shows how much of its files has arrived. The script sends it, so that there is progress to show;
// what comes of it is what a browser would have shown. Without scripts the browser sends it itself.
(() => {
  const number = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 0 });
  const mb = (bytes) => number.format(bytes / 2 ** 20);

  function tell(form, done, total) {
    const place = form.querySelector("[data-upload-progress]");
    const [bar, note] = [place.querySelector("progress"), place.querySelector("[role=status]")];
    place.hidden = false;
    if (done < total) bar.value = (100 * done) / total;
    else bar.removeAttribute("value");
    const words = done < total ? form.dataset.words : form.dataset.reading;
    note.textContent = words.replace("{done}", mb(done)).replace("{total}", mb(total));
  }

  function fail(form) {
    form.querySelector("[data-upload-progress]").hidden = true;
    form.dispatchEvent(new Event("htmx:afterRequest", { bubbles: true })); // submit-once.js gives its button back
    const note = document.getElementById("connection");
    note.textContent = form.dataset.failed;
    note.hidden = false;
  }

  function show(request) {
    if (request.responseURL.split("#")[0] !== location.href.split("#")[0]) return location.assign(request.responseURL);
    const answer = new DOMParser().parseFromString(request.responseText, "text/html");
    document.querySelector("main").replaceWith(answer.querySelector("main"));
    document.querySelector("[data-form-errors]")?.focus();
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!("upload" in form.dataset)) return;
    event.preventDefault();
    document.getElementById("connection").hidden = true;
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.upload.addEventListener("progress", (step) => step.lengthComputable && tell(form, step.loaded, step.total));
    request.upload.addEventListener("load", () => tell(form, 1, 1));
    request.addEventListener("error", () => fail(form));
    request.addEventListener("load", () => (request.status < 500 ? show(request) : fail(form)));
    tell(form, 0, 1);
    request.send(new FormData(form));
  });
})();
