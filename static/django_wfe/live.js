/* Keeps a page of the console current: fetches it again and puts the parts that changed in place.

   <div id="content-main" data-live="1">            seconds until the first look; without the attribute it stops
   <section id="..." data-live-part>                replaced as a whole, unless the reader is in it
   <tr id="..." data-live-row data-version="...">   replaced only when its version changes; new rows are added
   <p role="status" data-live-status>               speaks when the state of the main element changes

   Without this script the page shows what it was when it was loaded. */
"use strict";

(() => {
    const main = document.querySelector("#content-main[data-live]");
    if (!main) {
        return;
    }
    const first = 1000 * (Number(main.dataset.live) || 1);
    const slowest = Math.max(15000, 3 * first);
    const growth = 1.3;
    const address = window.location.pathname + window.location.search;
    let delay = first;
    let timer = 0;

    function wait() {
        window.clearTimeout(timer);
        if (main.hasAttribute("data-live") && !document.hidden) {
            timer = window.setTimeout(look, delay);
        }
    }

    async function look() {
        try {
            const response = await window.fetch(address, { credentials: "same-origin", redirect: "manual" });
            if (response.type === "opaqueredirect" || response.status === 403) {
                stop();
                return;
            }
            if (response.ok) {
                const page = new DOMParser().parseFromString(await response.text(), "text/html");
                const fresh = page.querySelector("#content-main");
                if (fresh) {
                    take(fresh);
                }
            }
        } catch (error) {
            if (!(error instanceof TypeError)) { // no connection: the next look may find one
                throw error;
            }
        }
        delay = Math.min(delay * growth, slowest);
        wait();
    }

    function take(fresh) {
        for (const part of main.querySelectorAll("[data-live-part][id]")) {
            const successor = fresh.querySelector(`#${CSS.escape(part.id)}`);
            if (successor && !isBeingUsed(part)) {
                keepUnfolded(part, successor);
                if (!part.isEqualNode(successor)) {
                    part.replaceWith(successor);
                }
            }
        }
        for (const body of main.querySelectorAll("tbody[data-live-rows][id]")) {
            const successor = fresh.querySelector(`#${CSS.escape(body.id)}`);
            if (successor) {
                takeRows(body, successor);
            }
        }
        if (fresh.dataset.state !== main.dataset.state) {
            delay = first;
            main.dataset.state = fresh.dataset.state;
            const status = main.querySelector("[data-live-status]");
            const words = fresh.querySelector("[data-live-status]");
            if (status && words) {
                status.textContent = words.dataset.words;
            }
        }
        if (!fresh.hasAttribute("data-live")) {
            main.removeAttribute("data-live");
        }
    }

    function takeRows(body, successor) {
        for (const row of [...successor.rows]) {
            const known = row.id && body.querySelector(`#${CSS.escape(row.id)}`);
            if (!known) {
                delay = first;
                body.append(row);
            } else if (known.dataset.version !== row.dataset.version) {
                delay = first;
                keepUnfolded(known, row);
                known.replaceWith(row);
            } else {
                const times = row.querySelectorAll("time");
                known.querySelectorAll("time").forEach((time, index) => {
                    if (times[index]) {
                        time.textContent = times[index].textContent;
                    }
                });
            }
        }
    }

    /* What somebody has focused, selected or is just pressing is not taken away from under them. */
    function isBeingUsed(part) {
        const selection = document.getSelection();
        return part.contains(document.activeElement)
            || part.querySelector(":active") !== null
            || Boolean(selection && !selection.isCollapsed && selection.rangeCount && selection.containsNode(part, true));
    }

    function keepUnfolded(part, successor) {
        const folds = successor.querySelectorAll("details");
        part.querySelectorAll("details").forEach((fold, index) => {
            if (folds[index]) {
                folds[index].open = fold.open;
            }
        });
    }

    function stop() {
        main.removeAttribute("data-live");
        const lost = main.querySelector("[data-live-lost]");
        if (lost) {
            lost.hidden = false;
        }
    }

    document.addEventListener("visibilitychange", () => {
        delay = first;
        wait();
    });
    wait();
})();
