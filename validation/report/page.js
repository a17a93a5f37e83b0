// Sorts and filters the tables of figures. Without it the page says the same; nothing is fetched and nothing is kept.
"use strict";
(function () {
  const FILTERED_FROM = 10;

  function valueOf(row, column) {
    const cell = row.cells[column];
    const text = cell ? cell.textContent.trim() : "";
    const number = parseFloat(text.replace(/[\u202f,\s]/g, "").replace(/\u2212/g, "-").replace(/^\+/, ""));
    return { text: text, number: /^[-+\u2212]?[\d.]/.test(text) ? number : NaN };
  }

  function compare(one, other) {
    const bothNumbers = !Number.isNaN(one.number) && !Number.isNaN(other.number);
    if (bothNumbers && one.number !== other.number) return one.number - other.number;
    if (Number.isNaN(one.number) !== Number.isNaN(other.number)) return Number.isNaN(one.number) ? 1 : -1;
    return one.text.localeCompare(other.text, "en", { numeric: true });
  }

  function sortBy(table, body, rows, header, column) {
    const rising = header.getAttribute("aria-sort") !== "ascending";
    for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const keyed = rows.map(function (row, place) { return { row: row, place: place, key: valueOf(row, column) }; });
    keyed.sort(function (a, b) { return (rising ? 1 : -1) * compare(a.key, b.key) || a.place - b.place; });
    for (const item of keyed) body.appendChild(item.row);
  }

  function makeSortable(table, body, rows) {
    const head = table.tHead.rows[0];
    Array.from(head.cells).forEach(function (header, column) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      while (header.firstChild) button.appendChild(header.firstChild);
      header.appendChild(button);
      button.addEventListener("click", function () { sortBy(table, body, rows, header, column); });
    });
  }

  function makeFilterable(table, rows) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    const said = document.createElement("span");
    label.className = "filter";
    input.type = "search";
    said.setAttribute("role", "status");
    label.append("Show rows with ", input, said);
    input.addEventListener("input", function () {
      const wanted = input.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
        shown += row.hidden ? 0 : 1;
      }
      said.textContent = wanted ? " " + shown + " of " + rows.length : "";
    });
    table.parentNode.insertBefore(label, table);
  }

  for (const table of document.querySelectorAll("table.figures")) {
    const spanned = table.querySelector("tbody [rowspan], tbody [colspan]");
    if (!table.tHead || table.tHead.rows.length !== 1 || table.tBodies.length !== 1 || spanned) continue;
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    if (rows.length > 2) makeSortable(table, body, rows);
    if (rows.length >= FILTERED_FROM) makeFilterable(table, rows);
  }
})();
