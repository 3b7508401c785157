// What the pages do beyond links and forms: the dialog, toasts, menus, the Get Code countdown, names that hide themselves.
// Every page works without this file. Elements are looked up when needed, since fragments replace them.
"use strict";

(() => {
  const TOAST_MS = 8000;
  const TOAST_WITH_LINK_MS = 30000;
  const byId = (id) => document.getElementById(id);
  const dialog = () => byId("dialog");
  const inDialog = (element) => element?.id === "dialog-body";
  const usedIn = ({ elt, triggeringEvent }) => triggeringEvent?.submitter ?? elt;

  // ---- Toasts ---------------------------------------------------------------------------------------------------------

  // Under an open dialog everything else is inert and unheard, so messages go into the dialog while it is open.
  function toastHolder(level) {
    if (dialog().open) return byId("dialog-alert");
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
    const words = document.createElement("p");
    box.className = `toast toast-${level}`;
    words.append(text);
    if (link) words.append(" ", linkTo(link));
    box.append(words, dismissButton(box));
    const holder = toastHolder(level);
    if (level === "error") holder.replaceChildren(box);
    else holder.append(box);
    if (level !== "error") setTimeout(() => box.remove(), link ? TOAST_WITH_LINK_MS : TOAST_MS);
  }

  document.addEventListener("toast", (event) => toast(event.detail.level, event.detail.text, event.detail.link));

  // A page that refuses says why.
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

  // ---- Dialog ---------------------------------------------------------------------------------------------------------

  let openerId = "";
  let pending = null; // the request whose answer goes into the dialog: {xhr, writes}
  const openers = new WeakSet(); // the requests that open it; one by POST carries a selection and writes nothing

  function focusInside() {
    const body = byId("dialog-body");
    const found = ["[role=alert][tabindex]", "[aria-invalid=true]", "[autofocus]", "input:checked", "input:not([type=hidden]):enabled",
      "a, button:enabled"].map((selector) => body.querySelector(selector)).find(Boolean);
    found?.focus();
  }

  // Work goes on where it was: at the same control, else at its like in the row beside, else at the group that is open.
  function keepPlace(used) {
    const body = byId("dialog-body");
    if (body.contains(document.activeElement)) return;
    const row = used.closest("tr");
    const kind = used.id.replace(/[^-]*$/, "");
    const beside = [row?.nextElementSibling, row?.previousElementSibling].map((each) => each?.querySelector(`[id^="${kind}"]`)?.id);
    // Not by the document: the list below has pages with the same names.
    const same = [used.id, ...beside].filter(Boolean).map((id) => body.querySelector(`#${CSS.escape(id)}`)).find(Boolean);
    const place = same ?? body.querySelector("[data-keep-place] [aria-expanded=true], [data-keep-place] a");
    if (place) place.focus();
    else focusInside();
  }

  // The eye and the rows of a review keep the focus; anything else leads to what is to be read or filled in first.
  function showDialog(used) {
    byId("dialog-alert").replaceChildren();
    if (!dialog().open) dialog().showModal();
    if (used.closest(".eye-form")) return byId("eye-one")?.focus();
    const wrong = byId("dialog-body").querySelector("[role=alert][tabindex], [aria-invalid=true]");
    if (used.closest("[data-keep-place]") && !wrong) return keepPlace(used);
    dialog().scrollTop = 0;
    focusInside();
  }

  // By id, not by node: the list may have been replaced since the dialog opened.
  function returnFocus() {
    const opener = byId(openerId);
    // What is in a menu that has closed is to be reached from there.
    (opener?.closest("details.menu")?.querySelector("summary") ?? opener ?? byId("main")).focus({ preventScroll: true });
  }

  function closed() {
    // A read is given up; a write never is, since the server may have applied it already.
    if (pending && !pending.writes) pending.xhr.abort();
    if (!pending?.writes) byId("dialog-body").replaceChildren();
    byId("dialog-alert").replaceChildren();
    returnFocus();
  }

  document.addEventListener("htmx:beforeSend", (event) => {
    const { target, xhr, requestConfig } = event.detail;
    if (!inDialog(target)) return;
    if (!dialog().open) {
      openerId = usedIn(requestConfig).id;
      openers.add(xhr);
    }
    pending = { xhr, writes: requestConfig.verb !== "get" && !openers.has(xhr) };
    if (pending.writes) dialog().setAttribute("closedby", "none");
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.xhr !== pending?.xhr) return;
    pending = null;
    dialog().removeAttribute("closedby");
    if (!dialog().open) byId("dialog-body").replaceChildren();
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target, requestConfig, xhr } = event.detail;
    if (inDialog(target) && requestConfig.verb !== "get" && !dialog().open && !openers.has(xhr)) event.detail.shouldSwap = false;
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (!inDialog(event.detail.target)) return;
    showDialog(usedIn(event.detail.requestConfig));
    // HTMX would move the focus there once more when it settles.
    for (const field of byId("dialog-body").querySelectorAll("[autofocus]")) field.removeAttribute("autofocus");
  });

  document.addEventListener("dialog:close", () => dialog().open && dialog().close());

  // ---- Menus ----------------------------------------------------------------------------------------------------------

  const openMenus = () => document.querySelectorAll("details.menu[open]");

  function closeMenuAndReturn(event) {
    for (const menu of openMenus()) {
      menu.open = false;
      if (menu.contains(event.target)) menu.querySelector("summary").focus();
    }
  }

  // ---- Clicks and keys ------------------------------------------------------------------------------------------------

  // A click meant for a new tab stays the browser's: htmx would answer it in this page.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[hx-get]");
    if (link && (event.ctrlKey || event.metaKey || event.shiftKey)) event.stopImmediatePropagation();
  }, true);

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-dialog-close]")) dialog().close();
    if (event.target.closest("[data-print]")) window.print();
    for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
  });

  // A link that changes the list below leaves the menu it was in. What is loaded into the menu leaves it open.
  document.addEventListener("htmx:beforeRequest", ({ detail }) => {
    const menu = detail.elt.closest("details.menu");
    if (!menu || menu.contains(detail.target)) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !dialog().open) closeMenuAndReturn(event);
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

  // ---- Names that hide themselves -------------------------------------------------------------------------------------

  let hideTimer = 0;

  // Hidden here first, so that nothing depends on the server's answer.
  function hideNames() {
    for (const name of document.querySelectorAll("[data-name]")) name.textContent = "****";
    for (const eye of document.querySelectorAll(".eye")) eye.setAttribute("aria-pressed", "false");
    document.body.dispatchEvent(new CustomEvent("customers:changed", { bubbles: true }));
  }

  // Read once, so that other fragments do not lengthen the time.
  function watchNames(shown) {
    clearTimeout(hideTimer);
    hideTimer = setTimeout(hideNames, 1000 * Number(shown.dataset.namesShownSeconds));
    shown.removeAttribute("data-names-shown-seconds");
  }

  // ---- Filters that cannot be read ------------------------------------------------------------------------------------

  // The list says what is wrong; the form above it stays as it is while somebody types, so its fields are marked here.
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
    document.querySelectorAll("[data-seconds]").forEach(countDown);
    document.querySelectorAll("[data-names-shown-seconds]").forEach(watchNames);
    markFilters();
  }

  // Addresses stay readable: what is not asked for is not in them.
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.verb !== "get") return;
    const asked = event.detail.formData;
    for (const [name, value] of [...asked.entries()]) if (value === "") asked.delete(name);
  });

  // A filter that was taken away leads to the next one; after the last one to the search.
  function focusInList(used) {
    const place = used.closest(".chips") ? document.querySelector(".chip a") ?? byId("id_q") : byId("main");
    place.focus({ preventScroll: true });
  }

  document.addEventListener("htmx:afterSettle", (event) => {
    prepare();
    const lost = document.activeElement === document.body || document.activeElement === null;
    if (lost && ["customer-list", "customer-now"].includes(event.detail.target?.id)) focusInList(event.detail.requestConfig.elt);
  });

  // A page from the browser's memory may show what is no longer true, or no longer to be shown.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) window.location.reload();
  });

  document.addEventListener("DOMContentLoaded", () => {
    dialog()?.addEventListener("close", closed);
    prepare();
  });
})();
