"use strict";
// Filters cases by verdict, requirement and text. Without this the page shows everything.
(() => {
  const form = document.querySelector("form.filter");
  const sections = [...document.querySelectorAll("section.requirement")].map((section) => ({
    section,
    heading: section.querySelector("h3").textContent.toLowerCase() + section.querySelector(".id").textContent.toLowerCase(),
    cases: [...section.querySelectorAll(":scope > details.case")].map((element) => ({
      element,
      verdicts: element.dataset.verdicts.split(" "),
      text: [...element.querySelectorAll("summary, .id, .reason")].map((part) => part.textContent).join(" ").toLowerCase(),
    })),
  }));
  const { verdict, requirement, text, toggle } = form.elements;
  const output = form.querySelector("output");
  const apply = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { section, heading, cases } of sections) {
      let any = false;
      for (const row of cases) {
        const fits = (!verdict.value || row.verdicts.includes(verdict.value))
          && words.every((word) => row.text.includes(word) || heading.includes(word));
        row.element.hidden = !fits;
        any = any || fits;
        shown += fits ? 1 : 0;
      }
      const bare = cases.length === 0 && (!verdict.value || section.dataset.verdict === verdict.value)
        && words.every((word) => heading.includes(word));
      const chosen = !requirement.value || section.id === requirement.value;
      section.hidden = !chosen || !(any || bare);
      if (!chosen) shown -= cases.filter((row) => !row.element.hidden).length;
    }
    output.textContent = shown + (shown === 1 ? " case" : " cases");
  };
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  toggle.addEventListener("click", () => {
    const open = toggle.textContent === "Open all";
    for (const details of document.querySelectorAll("details.case, details.scenario")) details.open = open;
    toggle.textContent = open ? "Close all" : "Open all";
  });
  apply();
})();
