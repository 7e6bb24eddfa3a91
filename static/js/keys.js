// `/` goes to the search, `?` shows the keys. Never while someone types.
(() => {
  const help = document.getElementById("help");
  const typing = (element) => element.closest("input, textarea, select, [contenteditable]");

  function showHelp() {
    for (const menu of document.querySelectorAll("details[data-menu][open]")) menu.open = false;
    if (help && !help.open) help.showModal();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (event.key === "?") showHelp();
    if (event.key !== "/") return;
    const search = document.querySelector("[data-search]");
    if (!search || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    search.focus();
    search.select?.();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-help]")) showHelp();
  });
})();
