// The selection of customers in the list, across its pages, orders and filters. The server checks every ID again.
// Without this script, the boxes ticked on the current page are sent, or all customers that match.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const form = () => byId("batch-form");
  const texts = () => byId("selected").dataset;
  const boxes = () => [...document.querySelectorAll("#customer-list [name=customer]")];

  const ids = new Set();
  let allOf = ""; // if all that match are selected: the form's address, which has their filters
  let exactCount = ""; // how many these are, once the server has counted them all

  const countText = () => (allOf ? exactCount || form().dataset.matching : ids.size.toLocaleString(document.documentElement.lang));
  const isSelected = (box) => Boolean(allOf) || ids.has(box.value);

  function warn(text) {
    document.dispatchEvent(new CustomEvent("toast", { detail: { level: "warning", text } }));
  }

  // ---- Showing the selection ------------------------------------------------------------------------------------------

  function showSelectPage(page) {
    const selectPage = byId("select-page");
    if (!selectPage) return;
    const ticked = page.filter((box) => box.checked).length;
    selectPage.hidden = page.length === 0;
    selectPage.checked = ticked > 0 && ticked === page.length;
    selectPage.indeterminate = ticked > 0 && ticked < page.length;
  }

  function show() {
    const page = boxes();
    for (const box of page) box.checked = isSelected(box);
    showSelectPage(page);
    const some = page.length === 0 && ids.size > 0 ? texts().elsewhere : texts().some;
    const text = (allOf ? texts().all : some).replace("{n}", countText());
    if (byId("selected").textContent !== text) byId("selected").textContent = text;
    const selectAll = byId("select-all-matching");
    // Where one page holds all that match, the checkbox in its head selects them.
    if (selectAll) selectAll.hidden = Boolean(allOf) || form().dataset.onOnePage === "true";
    byId("clear-selection").hidden = !allOf && ids.size === 0;
  }

  // ---- Changing the selection -----------------------------------------------------------------------------------------

  function clear() {
    ids.clear();
    allOf = "";
    show();
  }

  // Unticking one of all that match leaves only the others on this page selected.
  function keepOnlyThisPage() {
    allOf = "";
    for (const box of boxes()) ids.add(box.value);
    warn(texts().allEnded);
  }

  function tick(page, on) {
    if (allOf) keepOnlyThisPage();
    const changed = page.map((box) => box.value).filter((id) => ids.has(id) !== on);
    const tooMany = on && ids.size + changed.length > Number(texts().most);
    if (tooMany) warn(texts().tooMany);
    else for (const id of changed) on ? ids.add(id) : ids.delete(id);
    show();
  }

  // The list stops counting at its limit; only when all are selected is the exact number fetched.
  async function countAll() {
    const counted = allOf;
    const response = await fetch(form().dataset.countPath).catch(() => null);
    if (!response?.ok || response.redirected || allOf !== counted) return;
    exactCount = await response.text();
    show();
  }

  function selectAllMatching() {
    ids.clear();
    allOf = form().action;
    exactCount = "";
    show();
    byId("batch-set-budget").focus();
    if (form().dataset.matching.endsWith("+")) countAll();
  }

  // Other filters, or none left that match, end the selection of all that match.
  function afterListSwap() {
    if (allOf && (allOf !== form().action || form().dataset.matching === "0")) {
      allOf = "";
      warn(texts().filtersChanged);
    }
    show();
  }

  // ---- Events ---------------------------------------------------------------------------------------------------------

  document.addEventListener("change", ({ target }) => {
    if (target.id === "select-page") tick(boxes(), target.checked);
    else if (target.matches("#customer-list [name=customer]")) tick([target], target.checked);
  });

  document.addEventListener("click", (event) => {
    if (!event.target.closest("#select-all-matching")) return;
    event.preventDefault();
    selectAllMatching();
  });

  document.addEventListener("reset", (event) => {
    if (event.target !== form()) return;
    clear();
    form().querySelector("button").focus();
  });

  // With nothing selected the form is not sent: captured before HTMX sees the event.
  document.addEventListener("submit", (event) => {
    if (event.target !== form() || allOf || ids.size) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    warn(texts().none);
  }, true);

  // What HTMX or the browser sends is the whole selection, not only the boxes of this page.
  document.addEventListener("formdata", (event) => {
    if (event.target !== form()) return;
    event.formData.delete("customer");
    if (allOf) event.formData.set("all_matching", "1");
    else for (const id of ids) event.formData.append("customer", id);
  });

  document.addEventListener("selection:clear", () => form() && clear());

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target?.id === "customer-list" && form()) afterListSwap();
  });

  document.addEventListener("DOMContentLoaded", () => {
    if (!form()) return;
    for (const box of boxes()) if (box.checked) ids.add(box.value);
    show();
  });
})();
