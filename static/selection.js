// The customers that are selected in the list, across its pages, orders and filters; the server looks at every ID again.
// Without this file the boxes of the page in sight are sent, or all that match.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const form = () => byId("batch-form");
  const texts = () => byId("selected").dataset;
  const boxes = () => [...document.querySelectorAll("#customer-list [name=customer]")];

  const ids = new Set();
  let allOf = ""; // where all that match the filters are selected: the address that means just these
  let counted = ""; // how many these are, once they were all counted

  const shown = () => (allOf ? counted || form().dataset.matching : ids.size.toLocaleString(document.documentElement.lang));
  const isSelected = (box) => Boolean(allOf) || ids.has(box.value);

  function say(text) {
    document.dispatchEvent(new CustomEvent("toast", { detail: { level: "warning", text } }));
  }

  // ---- What is seen of the selection ----------------------------------------------------------------------------------

  function showHead(page) {
    const head = byId("select-page");
    if (!head) return;
    const ticked = page.filter((box) => box.checked).length;
    head.hidden = page.length === 0;
    head.checked = ticked > 0 && ticked === page.length;
    head.indeterminate = ticked > 0 && ticked < page.length;
  }

  function show() {
    const page = boxes();
    for (const box of page) box.checked = isSelected(box);
    showHead(page);
    const words = (allOf ? texts().all : texts().some).replace("{n}", shown());
    if (byId("selected").textContent !== words) byId("selected").textContent = words;
    const all = byId("select-all-matching");
    if (all) all.hidden = Boolean(allOf) || form().dataset.matching === "0";
    byId("clear-selection").hidden = !allOf && ids.size === 0;
  }

  // ---- What changes it ------------------------------------------------------------------------------------------------

  function clear() {
    ids.clear();
    allOf = "";
    show();
  }

  // Who unticks one of all that match keeps what is ticked in sight, and sees the number fall.
  function backToTicked() {
    allOf = "";
    for (const box of boxes()) ids.add(box.value);
    say(texts().allEnded);
  }

  function tick(page, on) {
    if (allOf) backToTicked();
    const changed = page.map((box) => box.value).filter((id) => ids.has(id) !== on);
    const tooMany = on && ids.size + changed.length > Number(texts().most);
    if (tooMany) say(texts().tooMany);
    else for (const id of changed) on ? ids.add(id) : ids.delete(id);
    show();
  }

  // The list itself stops counting where counting costs; who selects them all is told how many they are.
  async function countAll() {
    const meant = allOf;
    const answer = await fetch(form().dataset.countPath).catch(() => null);
    if (!answer?.ok || answer.redirected || allOf !== meant) return;
    counted = await answer.text();
    show();
  }

  function selectAllMatching() {
    ids.clear();
    allOf = form().action;
    counted = "";
    show();
    byId("batch-set-budget").focus();
    if (form().dataset.matching.endsWith("+")) countAll();
  }

  // All that match was said of other filters than those that are set now.
  function afterList() {
    if (allOf && allOf !== form().action) {
      allOf = "";
      say(texts().filtersChanged);
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

  // Before HTMX hears of it: nothing would come of it.
  document.addEventListener("submit", (event) => {
    if (event.target !== form() || allOf || ids.size) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    say(texts().none);
  }, true);

  // Whatever is sent, by HTMX or by the browser, is the selection and not only what is in sight of it.
  document.addEventListener("formdata", (event) => {
    if (event.target !== form()) return;
    event.formData.delete("customer");
    if (allOf) event.formData.set("all_matching", "1");
    else for (const id of ids) event.formData.append("customer", id);
  });

  document.addEventListener("selection:clear", () => form() && clear());

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target?.id === "customer-list" && form()) afterList();
  });

  document.addEventListener("DOMContentLoaded", () => {
    if (!form()) return;
    for (const box of boxes()) if (box.checked) ids.add(box.value);
    show();
  });
})();
