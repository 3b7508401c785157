// What every page does beyond links and forms: toasts, menus, the Get Code countdown, masking names again after a time.
// Pages work without scripts. Elements are looked up when needed, since fragments replace them.
"use strict";

(() => {
  const TOAST_MS = 8000;
  const TOAST_WITH_LINK_MS = 30000;
  const byId = (id) => document.getElementById(id);
  const dialogIsOpen = () => byId("dialog").open;

  // ---- Toasts ---------------------------------------------------------------------------------------------------------

  // While a dialog is open the rest of the page is inert and not read aloud: then messages go into the dialog.
  function toastHolder(level) {
    if (dialogIsOpen()) return byId("dialog-alert");
    return byId(level === "error" ? "toasts-alert" : "toasts-status");
  }

  function dismissButton(box) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = byId("toasts").dataset.dismiss;
    button.addEventListener("click", () => box.remove());
    return button;
  }

  function linkTo({ path, label }) {
    const link = document.createElement("a");
    link.href = path;
    link.textContent = label;
    return link;
  }

  function toast(level, text, link) {
    const box = document.createElement("div");
    const message = document.createElement("p");
    box.className = `toast toast-${level}`;
    message.append(text);
    if (link) message.append(" ", linkTo(link));
    box.append(message, dismissButton(box));
    const holder = toastHolder(level);
    if (level === "error") holder.replaceChildren(box);
    else holder.append(box);
    if (level !== "error") setTimeout(() => box.remove(), link ? TOAST_WITH_LINK_MS : TOAST_MS);
  }

  document.addEventListener("toast", (event) => toast(event.detail.level, event.detail.text, event.detail.link));

  // The reason that a page of refusal (403) gives.
  function reasonIn(html) {
    return new DOMParser().parseFromString(html, "text/html").getElementById("reason")?.textContent;
  }

  function failureText(xhr) {
    const texts = byId("toasts").dataset;
    if (xhr.status === 403) return reasonIn(xhr.responseText) ?? texts.forbidden;
    return { 0: texts.unreachable, 404: texts.missing }[xhr.status] ?? texts.failed;
  }

  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, (event) => toast("error", failureText(event.detail.xhr)));
  }

  // ---- Menus ----------------------------------------------------------------------------------------------------------

  const openMenus = () => document.querySelectorAll("details.menu[open]");

  function closeMenuAndReturn(event) {
    for (const menu of openMenus()) {
      menu.open = false;
      if (menu.contains(event.target)) menu.querySelector("summary").focus();
    }
  }

  // ---- Clicks and keys ------------------------------------------------------------------------------------------------

  // A click that opens a new tab or window is left to the browser: HTMX would load the link into this page.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[hx-get]");
    if (link && (event.ctrlKey || event.metaKey || event.shiftKey)) event.stopImmediatePropagation();
  }, true);

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) window.print();
    for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
  });

  // A link in a menu that loads something elsewhere closes the menu.
  document.addEventListener("htmx:beforeRequest", ({ detail }) => {
    const menu = detail.elt.closest("details.menu");
    if (!menu || menu.contains(detail.target)) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !dialogIsOpen()) closeMenuAndReturn(event);
  });

  // ---- Get Code countdown ---------------------------------------------------------------------------------------------

  function countDown(button) {
    const label = button.textContent.trim();
    const until = Date.now() + 1000 * Number(button.dataset.seconds);
    const tick = () => {
      const left = Math.ceil((until - Date.now()) / 1000);
      button.disabled = left > 0;
      button.textContent = left > 0 ? `${label} (${left})` : label;
      if (left > 0 && button.isConnected) setTimeout(tick, 1000);
    };
    button.removeAttribute("data-seconds");
    tick();
  }

  // ---- Names are masked again after a time ----------------------------------------------------------------------------

  let maskTimer = 0;

  // Masked here first, so that nothing depends on the server's answer.
  function maskNames() {
    for (const name of document.querySelectorAll("[data-name]")) name.textContent = "****";
    for (const eye of document.querySelectorAll(".eye")) eye.setAttribute("aria-pressed", "false");
    document.body.dispatchEvent(new CustomEvent("customers:changed", { bubbles: true }));
  }

  // The attribute is read once, so that other fragments do not prolong the time.
  function watchNames(shown) {
    clearTimeout(maskTimer);
    maskTimer = setTimeout(maskNames, 1000 * Number(shown.dataset.namesShownSeconds));
    shown.removeAttribute("data-names-shown-seconds");
  }

  // ---- Filters that cannot be read ------------------------------------------------------------------------------------

  // The list names the errors. The form above it is not replaced while somebody types, so its fields are marked here.
  function markFilters() {
    const links = [...document.querySelectorAll("#filter-errors [data-field]")];
    const wrong = new Set(links.map((link) => link.dataset.field));
    for (const field of document.querySelectorAll("#filters :is(input, select)")) {
      if (wrong.has(field.id)) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
    for (const errors of document.querySelectorAll("#filters .errorlist")) if (!wrong.has(errors.id.replace(/_error$/, ""))) errors.remove();
  }

  // ---- Fragments and pages --------------------------------------------------------------------------------------------

  function prepare() {
    if (byId("filters")) byId("filters").noValidate = true;
    document.querySelectorAll("[data-seconds]").forEach(countDown);
    document.querySelectorAll("[data-names-shown-seconds]").forEach(watchNames);
    markFilters();
  }

  // A date that is only half typed has no value. Sent as a text that cannot be read, it empties the list and is reported as
  // an error. The browser's own validation would stop every request and leave the former list.
  function sendHalfTyped(form, parameters) {
    for (const field of form.querySelectorAll("input")) if (field.validity.badInput) parameters.set(field.name, "?");
  }

  // Empty parameters are left out of query strings.
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.verb !== "get") return;
    const parameters = event.detail.formData;
    if (event.detail.elt.id === "filters") sendHalfTyped(event.detail.elt, parameters);
    for (const [name, value] of [...parameters.entries()]) if (value === "") parameters.delete(name);
  });

  // After a filter was removed the focus goes to the next one, after the last to the search.
  function focusInList(used) {
    const place = used.closest(".active-filters") ? document.querySelector(".active-filter a") ?? byId("id_q") : byId("main");
    place.focus({ preventScroll: true });
  }

  document.addEventListener("htmx:afterSettle", (event) => {
    prepare();
    const lost = document.activeElement === document.body || document.activeElement === null;
    if (lost && ["customer-list", "customer-now"].includes(event.detail.target?.id)) focusInList(event.detail.requestConfig.elt);
  });

  // A page from the browser's back-forward cache may be outdated, or show names that must be masked by now.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) window.location.reload();
  });

  document.addEventListener("DOMContentLoaded", prepare);
})();
