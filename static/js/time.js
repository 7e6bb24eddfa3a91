// Keeps every <time data-when> fresh, and shows the exact time in the reader's own zone on hover.
// The words are those of `ago` in trainportal/templatetags/portal.py, on <body>.
(() => {
  const UNITS = [["day", 86400], ["hour", 3600], ["min", 60]];
  const DAYS = 30;
  const words = document.body.dataset;
  const language = document.documentElement.lang;
  const exact = new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "long" });
  const day = new Intl.DateTimeFormat(language, { dateStyle: "medium" });

  function relative(moment) {
    const seconds = (Date.now() - moment) / 1000;
    const distance = Math.abs(seconds);
    if (distance < 60) return words.now;
    if (distance >= DAYS * 86400) return day.format(moment);
    const [unit, length] = UNITS.find(([, size]) => distance >= size);
    const text = words[(seconds > 0 ? "past" : "future") + unit[0].toUpperCase() + unit.slice(1)];
    return text.replace("{n}", Math.floor(distance / length));
  }

  function refresh() {
    for (const element of document.querySelectorAll("time[data-when]")) {
      const moment = new Date(element.dateTime);
      const text = relative(moment);
      if (element.textContent !== text) element.textContent = text;
      element.title = exact.format(moment);
    }
  }

  refresh();
  setInterval(refresh, 20_000);
  document.addEventListener("htmx:load", refresh);
})();
