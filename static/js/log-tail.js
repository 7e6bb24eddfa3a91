// A <pre data-log> follows its end while lines are appended, until the reader scrolls up; a button jumps back.
// <form data-log-filter> in its card hides the lines that do not match, the new ones too; it does not change following.
(() => {
  const CLOSE = 24; // pixels from the end that still count as the end
  const MOST = 20000; // lines kept in the page: older ones go, the whole log has a page of its own
  const LEVELS = { warning: ["log-warning", "log-error"], error: ["log-error"] };
  const seen = new WeakSet();

  function follow(log) {
    if (seen.has(log)) return;
    seen.add(log);
    const card = log.closest(".card");
    const button = log.closest(".log")?.querySelector("[data-log-end]");
    const form = card?.querySelector("[data-log-filter]");
    const count = card?.querySelector("[data-log-count]");
    let following = true;
    let ours = 0; // scroll events that we caused ourselves

    function toEnd() {
      ours += 1;
      log.scrollTop = log.scrollHeight;
      requestAnimationFrame(() => { ours -= 1; });
    }
    function setFollowing(value) {
      following = value;
      if (button) button.hidden = value;
    }
    log.addEventListener("scroll", () => {
      if (!ours) setFollowing(log.scrollHeight - log.scrollTop - log.clientHeight < CLOSE);
    }, { passive: true });
    button?.addEventListener("click", () => {
      setFollowing(true);
      toEnd();
      log.focus();
    });

    // --- the filter ---
    let words = "";
    let level;
    function matches(line) {
      return (!level || level.some((name) => line.classList.contains(name)))
        && (!words || line.textContent.toLowerCase().includes(words));
    }
    function hide(lines) {
      for (const line of lines) line.hidden = Boolean(words || level) && !matches(line);
    }
    function say() {
      if (!count) return;
      const all = log.querySelectorAll(".line").length;
      const shown = words || level ? log.querySelectorAll(".line:not([hidden])").length : all;
      count.textContent = words || level ? form.dataset.shown.replace("{shown}", shown).replace("{all}", all) : "";
    }
    function below(line) { // pixels from the upper edge of the log, which may move itself
      return line.getBoundingClientRect().top - log.getBoundingClientRect().top;
    }
    function filter() {
      const first = [...log.querySelectorAll(".line:not([hidden])")].find((line) => below(line) + line.offsetHeight > 0);
      const before = first ? below(first) : 0;
      words = form.elements.q.value.trim().toLowerCase();
      level = LEVELS[form.elements.level.value];
      hide(log.querySelectorAll(".line"));
      say();
      if (following) toEnd();
      else if (first && !first.hidden) {
        ours += 1;
        log.scrollTop += below(first) - before;
        requestAnimationFrame(() => { ours -= 1; });
      }
    }
    form?.addEventListener("input", filter);
    form?.addEventListener("reset", () => setTimeout(filter));

    // --- what comes ---
    function trim() {
      const lines = log.querySelectorAll(".line");
      if (lines.length <= MOST || !following) return;
      for (let n = 0; n < lines.length - MOST; n += 1) lines[n].remove();
    }
    new MutationObserver((changes) => {
      const added = changes.flatMap((change) => [...change.addedNodes]).filter((node) => node.classList?.contains("line"));
      if (words || level) hide(added);
      trim();
      if (added.length) say();
      if (following) toEnd();
    }).observe(log, { childList: true, subtree: true, characterData: true });
    if (form && (form.elements.q.value || form.elements.level.value)) filter();
    toEnd();
  }

  const scan = () => document.querySelectorAll("[data-log]").forEach(follow);
  scan();
  document.addEventListener("htmx:load", scan);
})();
