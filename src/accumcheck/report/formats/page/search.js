// A box above every long table: it keeps the rows whose texts (not numbers) contain every typed word. Where scripts do
// not run there is no box, and the tables are whole.
"use strict";
for (const table of document.querySelectorAll("table[data-search]")) {
  const textOf = (row) => [...row.querySelectorAll("th, .left")].map((cell) => cell.textContent).join(" ");
  const rows = [...table.tBodies[0].rows].map((row) => [row, textOf(row).toLowerCase()]);
  if (rows.length < 8) continue;
  const box = document.createElement("input");
  const label = document.createElement("label");
  const count = document.createElement("output");
  box.type = "search";
  box.autocomplete = "off";
  label.className = "search";
  label.append(`Find ${table.dataset.search} `, box, count);
  table.before(label);
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const [row, text] of rows) {
      row.hidden = !words.every((word) => text.includes(word));
      found += !row.hidden;
    }
    count.value = words.length ? `${found} of ${rows.length}` : "";
  });
}
