/* What a reader does with a part of the page outlives its replacement: unfolded details, focus, places scrolled to and
   what was typed are carried over. A part that is being selected, pressed or typed in is left alone until it is not.

   <section data-live-part data-version="7">   kept as it is while its version is the same: a log grows inside it
   <tr data-bar-of="run-1-1">                  only the bar of that row, which moves while the axis grows */
"use strict";

(() => {
    const sources = new Map();

    // Parts are compared as they came: other scripts may have changed what stands on the page.
    function describe(part) {
        return part.outerHTML.replace(/(name="csrfmiddlewaretoken" value=")[^"]*/g, "$1");
    }

    document.querySelectorAll("[data-live-part][id]").forEach((part) => sources.set(part.id, describe(part)));

    function isTypedIn(field) {
        return field.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=submit], [type=button])");
    }

    function isHeld(part) {
        const selection = document.getSelection();
        const focused = document.activeElement;
        return part.querySelector(":active") !== null
            || (part.contains(focused) && isTypedIn(focused))
            || Boolean(selection && !selection.isCollapsed && selection.rangeCount && selection.containsNode(part, true));
    }

    function sign(element) {
        const row = element.closest("[data-key], tr[id]");
        const summary = element.closest("details > summary, details");
        const names = ["id", "href", "name", "class", "data-verb", "data-wfe-zoom"];
        return [
            row ? row.dataset.key || row.id : "",
            summary ? summary.closest("details").querySelector("summary").textContent : "",
            ...names.map((name) => element.getAttribute(name) || ""),
        ].join("\n");
    }

    // The element of the fresh part that stands for one of the old part: the same sign, the same place among those.
    function findCounterpart(element, part, fresh) {
        const signature = sign(element);
        const alike = (root) => [...root.querySelectorAll(element.tagName)].filter((one) => sign(one) === signature);
        return alike(fresh)[alike(part).indexOf(element)];
    }

    // Carries over what can be before the fresh part is in its place; gives what is to be done when it is there.
    function carryOver(part, fresh) {
        const tasks = [];
        for (const fold of part.querySelectorAll("details")) {
            const counterpart = findCounterpart(fold, part, fresh);
            if (counterpart) {
                counterpart.open = fold.open;
            }
        }
        for (const field of part.querySelectorAll("textarea, select, input:not([type=hidden], [type=submit], [type=file])")) {
            const counterpart = findCounterpart(field, part, fresh);
            if (counterpart && ["checkbox", "radio"].includes(field.type)) {
                counterpart.checked = field.checked;
            } else if (counterpart) {
                counterpart.value = field.value;
            }
        }
        for (const box of part.querySelectorAll("pre, .wfe-readable, .wfe-scroll, .wfe-timeline__scroll")) {
            const { scrollLeft, scrollTop } = box;
            const counterpart = (scrollLeft || scrollTop) && findCounterpart(box, part, fresh);
            if (counterpart) {
                tasks.push(() => counterpart.scrollTo(scrollLeft, scrollTop));
            }
        }
        if (part.contains(document.activeElement)) {
            const counterpart = findCounterpart(document.activeElement, part, fresh);
            tasks.push(() => counterpart.focus({ preventScroll: true }));
        }
        return tasks;
    }

    function canReplace(part, fresh) {
        const focused = document.activeElement;
        return !isHeld(part) && (!part.contains(focused) || Boolean(findCounterpart(focused, part, fresh)));
    }

    // What moves with time inside a row or part that is kept: its times, and its bar on the time axis.
    function takeTimes(known, fresh) {
        const times = fresh.querySelectorAll("time");
        known.querySelectorAll("time").forEach((time, index) => times[index] && time.replaceWith(times[index]));
        const inside = known.querySelector("[data-live-inside]");
        const moved = fresh.querySelector("[data-live-inside]");
        if (inside && moved && inside.outerHTML !== moved.outerHTML && !inside.querySelector(":hover")) {
            const had = inside.contains(document.activeElement);
            inside.replaceWith(moved);
            if (had) {
                moved.querySelector("[tabindex]").focus({ preventScroll: true });
            }
        }
    }

    // Rows are put in place one by one: only those that changed come over.
    function takeRows(body, fresh) {
        for (const row of [...fresh.rows]) {
            const known = document.getElementById(row.dataset.barOf || row.id);
            if (row.dataset.barOf || (known && known.dataset.version === row.dataset.version)) {
                if (known) {
                    takeTimes(known, row);
                }
                continue;
            }
            if (known && !canReplace(known, row)) {
                continue;
            }
            const tasks = known ? carryOver(known, row) : [];
            known ? known.replaceWith(row) : body.append(row);
            tasks.forEach((task) => task());
            htmx.process(row);
            body.dispatchEvent(new CustomEvent("wfe:changed", { bubbles: true }));
        }
        while (body.rows.length > Number(body.dataset.liveRows) && !isHeld(body.rows[0])) {
            body.rows[0].remove();
        }
    }

    document.addEventListener("htmx:oobBeforeSwap", (event) => {
        const part = event.detail.target;
        const fresh = event.detail.fragment.firstElementChild;
        if (part.matches("[data-live-rows]")) {
            event.detail.shouldSwap = false;
            takeRows(part, fresh);
        } else if (part.dataset.version && part.dataset.version === fresh.dataset.version) {
            event.detail.shouldSwap = false;
            takeTimes(part, fresh);
        } else if (part.matches("[data-live-part]")) {
            const source = describe(fresh);
            event.detail.shouldSwap = sources.get(part.id) !== source && canReplace(part, fresh);
            if (event.detail.shouldSwap) {
                sources.set(part.id, source);
                const tasks = carryOver(part, fresh);
                queueMicrotask(() => tasks.forEach((task) => task()));
            }
        }
    });
})();
