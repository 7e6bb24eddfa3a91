// A <pre data-log> follows its end while text is appended, until the reader scrolls up; a button jumps back.
(() => {
  const CLOSE = 24; // pixels from the end that still count as the end
  const seen = new WeakSet();

  function follow(log) {
    if (seen.has(log)) return;
    seen.add(log);
    const button = log.closest(".log")?.querySelector("[data-log-end]");
    let following = true;

    function toEnd() {
      log.scrollTop = log.scrollHeight;
    }
    log.addEventListener("scroll", () => {
      following = log.scrollHeight - log.scrollTop - log.clientHeight < CLOSE;
      if (button) button.hidden = following;
    }, { passive: true });
    button?.addEventListener("click", () => {
      toEnd();
      log.focus();
    });
    new MutationObserver(() => { if (following) toEnd(); }).observe(log, { childList: true, subtree: true, characterData: true });
    toEnd();
  }

  const scan = () => document.querySelectorAll("[data-log]").forEach(follow);
  scan();
  document.addEventListener("htmx:load", scan);
})();
