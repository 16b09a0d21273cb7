/* Shows beside a field what was changed in it, line by line, so that no page in between has to.

   <textarea data-difference>           its text at load is what the changes are told against
   <input name="difference_seen">       says to the server that they were shown
   <ul class="wfe-difference" id="wfe-difference" aria-live="polite">   where they are shown */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const field = document.querySelector("textarea[data-difference]");
    const list = document.getElementById("wfe-difference");
    const seen = document.querySelector("input[name='difference_seen']");
    if (!field || !list || !seen) {
        return;
    }
    const most = 2000; // lines; beyond, the server compares
    const before = field.defaultValue.split("\n");

    function add(kind, sign, text) {
        const item = document.createElement("li");
        item.className = `wfe-difference-${kind}`;
        item.textContent = `${sign} ${text}`;
        list.append(item);
    }

    function show() {
        const after = field.value.split("\n");
        list.replaceChildren();
        if (before.length > most || after.length > most) {
            seen.value = "";
            return;
        }
        let head = 0;
        while (head < before.length && head < after.length && before[head] === after[head]) {
            head += 1;
        }
        let tail = 0;
        while (tail < before.length - head && tail < after.length - head
            && before[before.length - 1 - tail] === after[after.length - 1 - tail]) {
            tail += 1;
        }
        before.slice(head, before.length - tail).forEach((line) => add("removed", "-", line));
        after.slice(head, after.length - tail).forEach((line) => add("added", "+", line));
        seen.value = "as typed";
    }

    field.addEventListener("input", show);
    if (field.value !== field.defaultValue) {
        show(); // typed before this script was there, or restored by the browser
    }
});
