/* Answering one question after the other from the keyboard: the first field has the focus, and Ctrl+Enter (or Cmd+Enter)
   submits and goes on. Without this file the same is done with Tab and the buttons. */
"use strict";

(() => {
    const FIELDS = "input:not([type=hidden], [type=submit], [type=button], [type=image]), select, textarea";

    document.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing || event.repeat) {
            return;
        }
        const form = document.querySelector("form[data-wfe-answer]");
        const focused = document.activeElement;
        if (!form || (focused && focused.form && focused.form !== form)) {
            return;
        }
        const button = form.querySelector("[name=_next]:not(:disabled)") || form.querySelector("[name=_submit]:not(:disabled)");
        if (button) {
            event.preventDefault();
            button.click();
        }
    });

    function focusFirstField() {
        const form = document.querySelector("form[data-wfe-answer]");
        const isFree = !document.activeElement || document.activeElement === document.body;
        if (!form || !isFree || location.hash || form.querySelector(".errornote")) {
            return;
        }
        const area = form.querySelector("[data-wfe-form]") || form;
        const field = [...area.querySelectorAll(FIELDS)].find((one) => !one.disabled && one.offsetParent !== null);
        if (field) {
            field.focus({ preventScroll: field.getBoundingClientRect().bottom < innerHeight });
        }
    }

    if (document.readyState === "loading") {
        document.addEventListener("DOMContentLoaded", focusFirstField);
    } else {
        focusFirstField();
    }
})();
