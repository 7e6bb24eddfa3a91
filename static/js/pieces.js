// A form[data-pieces] sends its large files before itself, in pieces (tus): with progress, pause, and going on after a
// break or a reload. Then the form goes with the keys of the uploads instead. Without scripts the form sends the files.
(() => {
  const LEAST = 2 ** 22; // bytes; a smaller file goes with the form
  const SHOWN = 1000; // milliseconds between two texts
  const RETRIES = [0, 1000, 3000, 5000, 10000, 20000];
  const lang = document.documentElement.lang;

  function unit(value, name) {
    const digits = value < 10 && name !== "second" && name !== "minute" ? 1 : 0;
    return new Intl.NumberFormat(lang, { style: "unit", unit: name, maximumFractionDigits: digits }).format(value);
  }
  const bytes = (n) => (n >= 2 ** 30 ? unit(n / 2 ** 30, "gigabyte") : unit(n / 2 ** 20, "megabyte"));
  const span = (s) => (s >= 90 ? unit(s / 60, "minute") : unit(Math.max(1, s), "second"));
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_all, key) => values[key]);

  class Fault extends Error {}

  // The token of the login that holds now: it changes where somebody logged in again in another tab.
  async function token(form, words) {
    let answer;
    try {
      answer = await fetch(location.href);
    } catch {
      throw new Fault(words.lost);
    }
    if (new URL(answer.url).pathname === document.body.dataset.login) throw new Fault(words.login);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.querySelector("form[data-pieces] [name=csrfmiddlewaretoken]");
    if (!found) throw new Fault(words.lost);
    form.querySelector("[name=csrfmiddlewaretoken]").value = found.value;
    return found.value;
  }

  function reason(error, words) {
    const status = error.originalResponse?.getStatus();
    if (!status) return words.lost;
    if (status === 401 || status === 403) return words.login;
    const type = error.originalResponse.getHeader("Content-Type") || "";
    return type.startsWith("text/plain") ? error.originalResponse.getBody() : words.failed;
  }

  class Sending {
    constructor(form, input) {
      this.form = form;
      this.file = input.files[0];
      this.pieceSize = input.dataset.pieceSize;
      this.panel = form.querySelector("[data-pieces-panel]");
      this.words = this.panel.dataset;
      this.samples = [];
    }

    run() {
      return new Promise((done, gone) => {
        this.upload = new tus.Upload(this.file, {
          endpoint: this.form.dataset.pieces,
          chunkSize: Number(this.pieceSize),
          metadata: { filename: this.file.name },
          retryDelays: RETRIES,
          onBeforeRequest: (request) => request.setHeader("X-CSRFToken", this.token),
          onShouldRetry: (error) => {
            const status = error.originalResponse?.getStatus() || 0;
            return !status || status === 409 || status === 423 || (status >= 500 && status !== 507);
          },
          onProgress: (sent, total) => this.tell(sent, total),
          onError: (error) => this.stop(reason(error, this.words)),
          onSuccess: () => done(this.upload.url),
        });
        this.button("pause", () => this.pause());
        this.button("go", () => this.go());
        this.button("drop", () => {
          this.upload.abort(true).catch(() => {}); // else it goes by itself after a time
          gone();
        });
        this.panel.hidden = false;
        this.go();
      });
    }

    button(name, act) {
      this.panel.querySelector(`[data-pieces-${name}]`).onclick = act;
    }

    show(isSending) {
      this.panel.querySelector("[data-pieces-pause]").hidden = !isSending;
      this.panel.querySelector("[data-pieces-go]").hidden = isSending;
    }

    async go() {
      this.samples = [];
      this.show(true);
      this.fault("");
      try {
        this.token = await token(this.form, this.words);
        if (!this.upload.url) {
          const before = await this.upload.findPreviousUploads();
          before.sort((a, b) => new Date(b.creationTime) - new Date(a.creationTime));
          if (before.length) this.upload.resumeFromPreviousUpload(before[0]);
        }
        this.upload.start();
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        this.stop(error.message);
      }
    }

    async pause() {
      await this.upload.abort();
      this.show(false);
      this.say(fill(this.words.paused, { name: this.file.name, done: bytes(this.sent || 0), total: bytes(this.file.size) }));
    }

    stop(sentence) {
      this.show(false);
      this.fault(sentence);
    }

    fault(sentence) {
      const place = this.panel.querySelector("[data-pieces-fault]");
      place.textContent = sentence;
      place.hidden = !sentence;
    }

    say(sentence) {
      this.panel.querySelector("[role=status]").textContent = sentence;
    }

    tell(sent, total) {
      this.sent = sent;
      this.panel.querySelector("progress").value = (100 * sent) / total;
      const now = performance.now();
      if (now - (this.told ?? -SHOWN) < SHOWN && sent < total) return;
      this.told = now;
      this.samples.push([now, sent]);
      if (this.samples.length > 20) this.samples.shift();
      const [then, before] = this.samples[0];
      const rate = (sent - before) / ((now - then) / 1000); // bytes a second, of the last 20 seconds
      const values = { name: this.file.name, done: bytes(sent), total: bytes(total), left: span((total - sent) / rate) };
      this.say(fill(rate > 0 && sent < total ? this.words.sending : this.words.begun, values));
    }
  }

  async function sendAll(form, inputs, button) {
    button.disabled = true;
    try {
      for (const input of inputs) {
        const url = await new Sending(form, input).run();
        const key = url.replace(/\/$/, "").split("/").pop();
        form.elements[`${input.name}-upload`].value = key;
        input.value = "";
      }
    } catch (error) {
      if (error) throw error; // without one: somebody pressed cancel
      return;
    } finally {
      button.disabled = false;
      form.querySelector("[data-pieces-panel]").hidden = true;
    }
    form.requestSubmit(button);
  }

  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target;
      if (!("pieces" in form.dataset) || !window.tus?.isSupported) return;
      const inputs = [...form.querySelectorAll("input[data-pieces-file]")].filter((one) => one.files[0]?.size >= LEAST);
      if (!inputs.length) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      sendAll(form, inputs, event.submitter || form.querySelector("[type=submit]"));
    },
    true,
  );
})();
