// The dialog: HTMX puts its content into #dialog-body. It opens with the first answer and closes by Escape, Cancel or the event dialog:close.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const dialog = () => byId("dialog");
  const isForDialog = (element) => element?.id === "dialog-body";
  const controlUsed = ({ elt, triggeringEvent }) => triggeringEvent?.submitter ?? elt;

  let openerId = "";
  let pending = null; // the request whose answer goes into the dialog: {xhr, writes}
  const openers = new WeakSet(); // the requests that open the dialog: by POST they carry a selection, but write nothing

  // ---- Focus ----------------------------------------------------------------------------------------------------------

  function focusInside() {
    const body = byId("dialog-body");
    const found = ["[role=alert][tabindex]", "[aria-invalid=true]", "[autofocus]", "input:checked", "input:not([type=hidden]):enabled",
      "a, button:enabled"].map((selector) => body.querySelector(selector)).find(Boolean);
    found?.focus();
  }

  // Keeps the focus on the same control; if it is gone, on the same one of the next or previous row, or on the open group.
  function keepPlace(used) {
    const body = byId("dialog-body");
    if (body.contains(document.activeElement)) return;
    const row = used.closest("tr");
    const kind = used.id.replace(/[^-]*$/, "");
    const neighbours = [row?.nextElementSibling, row?.previousElementSibling].map((each) => each?.querySelector(`[id^="${kind}"]`)?.id);
    // Searched within the dialog: the list below it has page links with the same ids.
    const same = [used.id, ...neighbours].filter(Boolean).map((id) => body.querySelector(`#${CSS.escape(id)}`)).find(Boolean);
    const place = same ?? body.querySelector("[data-keep-place] [aria-expanded=true], [data-keep-place] a");
    if (place) place.focus();
    else focusInside();
  }

  // By id, not by node: the list may have been replaced since the dialog opened.
  function returnFocus() {
    const opener = byId(openerId);
    // A control in a menu, which has closed by now, is reached from the menu's summary.
    (opener?.closest("details.menu")?.querySelector("summary") ?? opener ?? byId("main")).focus({ preventScroll: true });
  }

  // ---- Opening and closing --------------------------------------------------------------------------------------------

  // The eye and the rows of a review keep the focus; after anything else it goes to the first error or field.
  function show(used) {
    byId("dialog-alert").replaceChildren();
    if (!dialog().open) dialog().showModal();
    if (used.closest(".eye-form")) return byId("eye-one")?.focus();
    const wrong = byId("dialog-body").querySelector("[role=alert][tabindex], [aria-invalid=true]");
    if (used.closest("[data-keep-place]") && !wrong) return keepPlace(used);
    dialog().scrollTop = 0;
    focusInside();
  }

  function closed() {
    // A read is aborted; a write never is, since the server may have applied it already.
    if (pending && !pending.writes) pending.xhr.abort();
    if (!pending?.writes) byId("dialog-body").replaceChildren();
    byId("dialog-alert").replaceChildren();
    returnFocus();
  }

  document.addEventListener("dialog:close", () => dialog().open && dialog().close());

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-dialog-close]")) dialog().close();
  });

  document.addEventListener("DOMContentLoaded", () => dialog()?.addEventListener("close", closed));

  // ---- Requests -------------------------------------------------------------------------------------------------------

  document.addEventListener("htmx:beforeSend", (event) => {
    const { target, xhr, requestConfig } = event.detail;
    if (!isForDialog(target)) return;
    if (!dialog().open) {
      openerId = controlUsed(requestConfig).id;
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

  // The answer to a write does not open the dialog again after it was closed.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target, requestConfig, xhr } = event.detail;
    if (isForDialog(target) && requestConfig.verb !== "get" && !dialog().open && !openers.has(xhr)) event.detail.shouldSwap = false;
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (!isForDialog(event.detail.target)) return;
    show(controlUsed(event.detail.requestConfig));
    // HTMX would move the focus there once more when it settles.
    for (const field of byId("dialog-body").querySelectorAll("[autofocus]")) field.removeAttribute("autofocus");
  });
})();
