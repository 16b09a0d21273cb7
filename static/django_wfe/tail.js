/* Logs that grow while their step runs: pieces are appended, the oldest go when there are too many, and who reads the end
   stays at the end.

   <pre id="..." data-tail data-after="7" hx-get="..." hx-trigger="wfe:look" hx-swap="beforeend">

   live.js asks at each of its looks; "after" is the number of the last piece that is on the page. */
"use strict";

(() => {
    const longest = 200000; // characters that stay on the page

    function isOurs(xhr) {
        return xhr.status >= 200 && xhr.status < 300 && (xhr.getResponseHeader("HX-Trigger") || "").includes("wfe:tail");
    }

    document.addEventListener("htmx:configRequest", (event) => {
        if (event.target.matches("[data-tail]")) {
            event.detail.parameters.after = event.target.dataset.after;
        }
    });

    document.addEventListener("htmx:beforeOnLoad", (event) => {
        const log = event.target;
        if (!log.matches("[data-tail]")) {
            return;
        }
        if (!isOurs(event.detail.xhr)) {
            event.preventDefault();
            return;
        }
        log.dataset.atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8 ? "yes" : "";
        if (event.detail.xhr.status === 286) {
            log.removeAttribute("data-tail");
        }
    });

    document.addEventListener("wfe:tail", (event) => {
        event.target.dataset.after = event.detail.after;
        event.target.dispatchEvent(new CustomEvent("wfe:changed", { bubbles: true }));
    });

    document.addEventListener("htmx:afterSwap", (event) => {
        const log = event.target;
        if (log.dataset.after === undefined) {
            return;
        }
        while (log.textContent.length > longest && log.childNodes.length > 1) {
            log.firstChild.remove();
        }
        if (log.dataset.atEnd) {
            log.scrollTop = log.scrollHeight;
        }
    });

    function showEnds(root) {
        root.querySelectorAll("[data-tail]").forEach((log) => {
            log.scrollTop = log.scrollHeight;
        });
    }

    // A log that comes with a part of the page begins at its end, too.
    document.addEventListener("htmx:load", (event) => showEnds(event.target));
    showEnds(document);
})();
