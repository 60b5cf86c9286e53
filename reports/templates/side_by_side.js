"use strict";
// Filters rows by verdict, text and difference. Without this the page shows everything.
(() => {
  const form = document.querySelector("form.filter");
  const blocks = [...document.querySelectorAll("details.requirement")].map((element) => ({
    element,
    heading: element.querySelector("summary .name").textContent.toLowerCase(),
    verdicts: element.dataset.verdicts.split(" "),
    cases: [...element.querySelectorAll("tbody")].map((body) => ({
      body,
      title: body.querySelector(".case").textContent.toLowerCase(),
      rows: [...body.querySelectorAll("tr:not(.case)")],
    })),
  }));
  const { verdict, text, differing, toggle } = form.elements;
  const output = form.querySelector("output");
  const apply = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const narrowed = words.length > 0 || verdict.value || differing.checked;
    let shown = 0;
    for (const { element, heading, verdicts, cases } of blocks) {
      let any = false;
      for (const { body, title, rows } of cases) {
        let some = false;
        for (const row of rows) {
          const said = words.length > 0 ? row.textContent.toLowerCase() : "";
          const fits = (!differing.checked || row.classList.contains("differs"))
            && (!verdict.value || row.querySelector(".badge." + verdict.value) !== null)
            && words.every((word) => said.includes(word) || title.includes(word) || heading.includes(word));
          row.hidden = !fits;
          some = some || fits;
          shown += fits ? 1 : 0;
        }
        body.hidden = !some;
        any = any || some;
      }
      const bare = cases.length === 0 && !differing.checked && (!verdict.value || verdicts.includes(verdict.value))
        && words.every((word) => heading.includes(word));
      element.hidden = narrowed ? !(any || bare) : false;
    }
    output.textContent = shown + (shown === 1 ? " row" : " rows");
  };
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  toggle.addEventListener("click", () => {
    const open = toggle.textContent === "Open all";
    for (const { element } of blocks) element.open = open;
    toggle.textContent = open ? "Close all" : "Open all";
  });
  apply();
})();
