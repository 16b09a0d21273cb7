/* When a page of the console asks for news. htmx asks and puts the parts in place, keep.js spares what is being used.

   <div id="content-main" data-live="1">    seconds until the first look; the looks get rarer while nothing happens,
                                            and each answer names the seconds anew
   <div id="wfe-live" hx-get="...">         what htmx asks with; 286 says that nothing changes any more
   <section id="..." data-live-part>        replaced by the part with its id, if that is another one
   <pre id="..." data-tail>                 a log that grows, see tail.js

   Without this script the page shows what it was when it was loaded. */
"use strict";

(() => {
    const main = document.querySelector("#content-main[data-live]");
    const poller = document.getElementById("wfe-live");
    if (!main || !poller || !window.htmx) {
        return;
    }
    let first = 1000 * (Number(main.dataset.live) || 1);
    const growth = 1.3;
    const share = 5; // a slow server is asked at most a fifth of the time
    let delay = first;
    let asked = 0;
    let timer = 0;

    function plan() {
        window.clearTimeout(timer);
        if (main.hasAttribute("data-live") && !document.hidden) {
            timer = window.setTimeout(look, delay);
        }
    }

    function look() {
        const parts = main.querySelectorAll("[data-live-part][id], [data-live-rows][id]");
        poller.setAttribute("hx-select-oob", [...parts].map((part) => `#${part.id}`).join(","));
        asked = performance.now();
        main.querySelectorAll("[data-tail]").forEach((log) => htmx.trigger(log, "wfe:look"));
        htmx.trigger(poller, "wfe:look");
    }

    function show(kind) {
        main.querySelectorAll("[data-live-lost]").forEach((note) => {
            note.hidden = note.dataset.liveLost !== kind;
        });
    }

    function stop(kind) {
        main.removeAttribute("data-live");
        show(kind);
    }

    /* Whether an answer is a fragment of the console, and not a login page or an error. */
    function isOurs(xhr) {
        return xhr.status >= 200 && xhr.status < 300 && (xhr.getResponseHeader("HX-Trigger") || "").includes("wfe:");
    }

    poller.addEventListener("htmx:configRequest", (event) => {
        const rows = main.querySelectorAll("[data-live-rows] tr[data-number]");
        if (rows.length) {
            event.detail.parameters.newest = rows[rows.length - 1].dataset.number;
        }
    });

    poller.addEventListener("htmx:beforeOnLoad", (event) => {
        const xhr = event.detail.xhr;
        if (isOurs(xhr)) {
            show("");
            return;
        }
        event.preventDefault();
        if (xhr.status >= 500 || xhr.status === 429) {
            show("away");
        } else {
            stop(xhr.status < 400 || xhr.status === 401 ? "signed-out" : "refused");
        }
    });

    poller.addEventListener("htmx:afterRequest", (event) => {
        if (event.detail.xhr.status === 0) {
            show("away");
        } else if (event.detail.xhr.status === 286 && isOurs(event.detail.xhr)) {
            main.removeAttribute("data-live");
        }
        const slowest = Math.max(20000, 4 * first);
        delay = Math.max(Math.min(delay * growth, slowest), share * (performance.now() - asked));
        plan();
    });

    main.addEventListener("wfe:state", (event) => {
        if (event.target !== poller) {
            return;
        }
        first = 1000 * (event.detail.seconds || 1);
        if (event.detail.state !== poller.dataset.state) {
            poller.dataset.state = event.detail.state;
            if (main.dataset.state) {
                main.dataset.state = event.detail.state;
            }
            main.querySelector("[data-live-status]").textContent = event.detail.words;
            delay = first / growth;
        }
    });

    main.addEventListener("wfe:changed", () => {
        delay = first / growth;
    });

    document.addEventListener("visibilitychange", () => {
        delay = first;
        if (document.hidden) {
            window.clearTimeout(timer);
        } else if (main.hasAttribute("data-live")) {
            look();
        }
    });
    plan();
})();
